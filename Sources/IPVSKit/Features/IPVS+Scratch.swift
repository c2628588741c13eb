import Netlink
import SystemPackage

extension IPVS {
    /// A client in a new namespace, where things are tried out: nobody's table is touched, and all is gone with
    /// the client.
    func scratch(_ operation: String) async throws(IPVSError) -> IPVS {
        guard try namespace(operation) != nil else {
            throw report(
                IPVSError(.unavailable, operation: operation, hint: "a simulated kernel has no namespaces"))
        }
        do throws(NetlinkError) {
            return IPVS(
                holding: try await NamespaceHandle.scratch(deadline: deadline), deadline: deadline, logger: logger)
        } catch {
            guard case .namespace(let errno) = error else { throw report(IPVSError(error, operation: operation)) }
            throw report(
                IPVSError(
                    errno == .notPermitted ? .notPermitted : .namespace, errno: errno, operation: operation,
                    hint: "it is tried out in a new network namespace, which takes CAP_SYS_ADMIN"))
        }
    }
}
