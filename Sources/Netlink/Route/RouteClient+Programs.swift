import CNetlink

extension RouteClient {
    /// The programs that see packets of the namespace's interfaces before any rule does.
    package func programs() async throws(NetlinkError) -> [InterfaceProgram] {
        let ofLinks = try await list(Int(RTM_GETLINK), header: ifinfomsg()) { InterfaceProgram.ofLink($0) }
        let ofDisciplines = try await list(Int(RTM_GETQDISC), header: tcmsg()) { InterfaceProgram.ofDiscipline($0) }
        return (ofLinks + ofDisciplines).flatMap { $0 }
    }
}
