import Netlink
import SystemPackage

extension IPVS {
    /// A client in a new network namespace for experiments: no other table is touched, and the namespace is deleted
    /// with the client.
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
                    hint: "this is tried in a new network namespace, which needs CAP_SYS_ADMIN"))
        }
    }
}
