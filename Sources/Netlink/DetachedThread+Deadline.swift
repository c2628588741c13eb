import SystemPackage

extension DetachedThread {
    /// Runs the body on a thread of its own, inside a namespace if one is given, and awaits the result until the
    /// deadline or the cancellation of the task. After that, the thread continues until the kernel lets it end, and its
    /// result is ignored. The thread keeps the ``Hold`` of the task until it has ended.
    ///
    /// - Parameter lock: held for as long as the body runs. If the caller has stopped waiting before the lock is free,
    ///   the body does not run at all.
    package static func run<Value: Sendable>(
        in namespace: NamespaceHandle?, deadline: Duration, holding lock: Locked<Void>? = nil,
        _ body: @escaping @Sendable () -> Value
    ) async throws(NetlinkError) -> Value {
        try await Awaited<Value>.value(deadline: deadline) { awaited in
            let hold = Hold.current
            do throws(Errno) {
                try start {
                    if let lock {
                        awaited.finish(lock.withLock { _ in result(awaited, in: namespace, body) })
                    } else {
                        awaited.finish(result(awaited, in: namespace, body))
                    }
                    withExtendedLifetime(hold) {}
                }
                return nil
            } catch {
                return error
            }
        }
    }

    private static func result<Value: Sendable>(
        _ awaited: Awaited<Value>, in namespace: NamespaceHandle?, _ body: @escaping @Sendable () -> Value
    ) -> Result<Value, NetlinkError> {
        guard awaited.isWanted else { return .failure(.interrupted(.cancelled)) }
        guard let namespace else { return .success(body()) }
        do throws(Errno) {
            return try inside {
                do throws(Errno) {
                    try namespace.enter()
                } catch {
                    return .failure(.namespace(error))
                }
                return .success(body())
            }
        } catch {
            return .failure(.socket(error))
        }
    }
}
