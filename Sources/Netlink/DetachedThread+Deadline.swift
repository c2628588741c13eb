import SystemPackage

extension DetachedThread {
    /// Runs the body on a thread of its own, in a namespace of its own where one is named, and awaits it, but not
    /// for longer than the deadline or past the task's cancellation. The thread then ends by itself, once the
    /// kernel lets it, and nobody looks at what it found. Until it has ended it keeps the ``Hold`` of the task.
    ///
    /// - Parameter lock: held while the body runs, however long that is. Where nobody waits any more by the time that the
    ///   lock is free, the body does not run at all.
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
