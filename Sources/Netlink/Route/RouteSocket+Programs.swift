import CNetlink
package import SystemPackage

extension RouteSocket {
    /// The programs that see packets of the namespace's interfaces before any rule does.
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
