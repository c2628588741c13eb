// Brings in pthread_attr_t, which its headers were the first to import.
import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A thread of its own for what blocks in the kernel or enters another network namespace: neither may happen
/// on a thread of Swift's pool, which other tasks use next.
package enum DetachedThread {
    private final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Runs the body on a thread of its own, in a namespace of its own where one is named, and awaits it.
    package static func run<Value: Sendable, Failure: Error>(
        in namespace: NamespaceHandle? = nil, _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { (caller: CheckedContinuation<Value, any Error>) in
            do {
                try start {
                    do {
                        try namespace?.enter()
                        caller.resume(returning: try body())
                    } catch {
                        caller.resume(throwing: error)
                    }
                }
            } catch {
                caller.resume(throwing: error)
            }
        }
    }

    static func start(_ body: @escaping @Sendable () -> Void) throws(Errno) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, CInt(PTHREAD_CREATE_DETACHED))

        var thread = pthread_t()
        let box = Unmanaged.passRetained(Box(body))
        let result = pthread_create(
            &thread, &attributes,
            { argument in
                Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
                return nil
            }, box.toOpaque())
        guard result == 0 else {
            box.release()
            throw Errno(rawValue: result)
        }
    }
}
