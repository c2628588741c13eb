import CNetlink
package import SystemPackage

extension RouteSocket {
    /// The interfaces of the namespace that have such.
    package mutating func programs() throws(Errno) -> [InterfaceProgram] {
        var found: [InterfaceProgram] = []
        try perform(Int(RTM_GETLINK), flags: Int(NLM_F_DUMP), header: ifinfomsg()) { _ in
        } answer: {
            found += InterfaceProgram.ofLink($0) ?? []
        }
        try perform(Int(RTM_GETQDISC), flags: Int(NLM_F_DUMP), header: tcmsg()) { _ in
        } answer: {
            found += InterfaceProgram.ofDiscipline($0) ?? []
        }
        return found
    }
}
