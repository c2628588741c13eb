import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Runs work that blocks in the kernel or enters another network namespace on a thread of its own. Neither may happen
/// on a thread of Swift's pool, which other tasks use next.
///
/// A thread in another namespace must not even resume a caller: resuming can make the pool start a thread, and a new
/// thread begins in the namespace of the thread that starts it. So one thread enters the namespace, does its work and
/// ends, and another, which has stayed in its namespace, waits for it and resumes the caller.
package enum DetachedThread {
    private final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Runs the body on a thread of its own, inside a namespace if one is given, and awaits its result.
    package static func run<Value: Sendable, Failure: Error>(
        in namespace: NamespaceHandle? = nil, _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { (caller: CheckedContinuation<Value, any Error>) in
            do {
                try start {
                    let result = Result<Value, any Error> {
                        guard let namespace else { return try body() }
                        return try inside {
                            Result<Value, any Error> {
                                try namespace.enter()
                                return try body()
                            }
                        }.get()
                    }
                    caller.resume(with: result)
                }
            } catch {
                caller.resume(throwing: error)
            }
        }
    }

    /// Runs the body on a new thread, which may enter any namespace because it ends with the body. Blocks the calling
    /// thread until then.
    static func inside<Value>(_ body: @escaping () -> Value) throws(Errno) -> Value {
        let job = Job(body)
        pthread_join(try create { job.value = job.body() }, nil)
        return job.value!
    }

    static func start(_ body: @escaping @Sendable () -> Void) throws(Errno) {
        pthread_detach(try create(body))
    }

    private static func create(_ body: @escaping @Sendable () -> Void) throws(Errno) -> pthread_t {
        var thread = pthread_t()
        let box = Unmanaged.passRetained(Box(body))
        let result = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
                return nil
            }, box.toOpaque())
        guard result == 0 else {
            box.release()
            throw Errno(rawValue: result)
        }
        return thread
    }
}

/// A job is unchecked Sendable because it is never used by two threads at a time: one thread sleeps while the other
/// works.
private final class Job<Value>: @unchecked Sendable {
    let body: () -> Value
    var value: Value?
    init(_ body: @escaping () -> Value) { self.body = body }
}
