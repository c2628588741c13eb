import CNetlink
import SystemPackage

extension RouteClient {
    /// The programs that see packets of the namespace's interfaces before any rule does.
    package func programs() async throws(NetlinkError) -> [InterfaceProgram] {
        let ofLinks = try await list(Int(RTM_GETLINK), header: ifinfomsg()) { InterfaceProgram.ofLink($0) }
        let ofDisciplines: [[InterfaceProgram]]
        do throws(NetlinkError) {
            ofDisciplines = try await list(Int(RTM_GETQDISC), header: tcmsg()) { InterfaceProgram.ofDiscipline($0) }
        } catch  where error.errno == .notSupported {
            // The kernel was built without traffic control.
            ofDisciplines = []
        }
        return (ofLinks + ofDisciplines).flatMap { $0 }
    }
}
