import Netlink
import SystemPackage

/// Reads the kernel's files about the IPVS of a namespace, for data that the socket does not offer.
///
/// `/proc/thread-self/net` and `/proc/sys/net` show the namespace of the thread that opens a file. So a file is opened
/// on a thread that enters the namespace and ends there; the open file keeps showing that namespace, whichever thread
/// reads it.
extension IPVS {
    /// Runs the body on a thread of its own in the namespace.
    func inNamespace<Value: Sendable>(
        _ operation: String, _ body: @escaping @Sendable () -> Result<Value, Errno>
    ) async throws(IPVSError) -> Result<Value, Errno> {
        guard let namespace = try namespace(operation) else {
            throw report(IPVSError(.unavailable, operation: operation, hint: "a simulated kernel has no files"))
        }
        return try await onThread(operation, in: namespace, body)
    }

    /// Like ``inNamespace(_:_:)``. If the file does not exist, the module may not be loaded: then a request over the
    /// socket loads it, and the body runs once more.
    func inNamespaceWithModule<Value: Sendable>(
        _ operation: String, _ body: @escaping @Sendable () -> Result<Value, Errno>
    ) async throws(IPVSError) -> Result<Value, Errno> {
        let result = try await inNamespace(operation, body)
        guard case .failure(.noSuchFileOrDirectory) = result else { return result }
        _ = try await info(operation)
        return try await inNamespace(operation, body)
    }

    /// Runs a body that blocks on a thread of its own, and waits for it until the client's deadline.
    func onThread<Value: Sendable>(
        _ operation: String, in namespace: NamespaceHandle? = nil,
        _ body: @escaping @Sendable () -> Result<Value, Errno>
    ) async throws(IPVSError) -> Result<Value, Errno> {
        _ = try self.namespace(operation)
        do {
            return try await DetachedThread.run(in: namespace, deadline: deadline, body)
        } catch {
            throw report(IPVSError(error, operation: operation))
        }
    }

    /// The error for an errno of one of these files.
    func fileError(_ errno: Errno, _ operation: String) -> IPVSError {
        let (code, hint): (IPVSError.Code, String?) =
            switch errno {
            case .noSuchFileOrDirectory:
                (.unavailable, "the kernel was built without IPVS's files, or /proc is not mounted")
            case .readOnlyFileSystem:
                (.notPermitted, "/proc/sys is mounted read-only, as in a container without privileges")
            case .notPermitted, .permissionDenied: (.notPermitted, "run the program as root")
            case .invalidArgument: (.invalid, nil)
            case .outOfRange: (.outOfRange, nil)
            default: (.other, nil)
            }
        return report(IPVSError(code, errno: errno, operation: operation, hint: hint))
    }
}
