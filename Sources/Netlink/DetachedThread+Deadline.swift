import SystemPackage

extension DetachedThread {
    /// Runs the body on a thread of its own, in a namespace of its own where one is named, and awaits it, but not
    /// for longer than the deadline or past the task's cancellation. The thread then ends by itself, once the
    /// kernel lets it, and nobody looks at what it found.
    package static func run<Value: Sendable>(
        in namespace: NamespaceHandle?, deadline: Duration, _ body: @escaping @Sendable () -> Value
    ) async throws(NetlinkError) -> Value {
        let race = Race<Value>()
        let entry: Deadlines.Entry
        do throws(Errno) {
            entry = try Deadlines.shared.add(after: deadline) {
                race.finish(.failure(.interrupted(.deadlineExceeded)))
            }
        } catch {
            throw .socket(error)
        }
        defer { Deadlines.shared.remove(entry) }
        let result = await withCancellableContinuation { caller in
            guard race.begin(caller) else { return }
            do throws(Errno) {
                try start {
                    guard let namespace else {
                        race.finish(.success(body()))
                        return
                    }
                    do throws(Errno) {
                        race.finish(
                            try inside {
                                do throws(Errno) {
                                    try namespace.enter()
                                } catch {
                                    return .failure(.namespace(error))
                                }
                                return .success(body())
                            })
                    } catch {
                        race.finish(.failure(.socket(error)))
                    }
                }
            } catch {
                race.finish(.failure(.socket(error)))
            }
        } onCancel: {
            race.finish(.failure(.interrupted(.cancelled)))
        }
        return try result.get()
    }
}

/// The thread, the deadline and the cancellation: the first to finish resumes the caller, once.
private final class Race<Value: Sendable>: Sendable {
    private enum State {
        case waiting(CheckedContinuation<Result<Value, NetlinkError>, Never>?)
        case finished(Result<Value, NetlinkError>)
    }

    private let state = Locked(State.waiting(nil))

    /// False where it is finished before it began; the caller has been resumed then.
    func begin(_ caller: CheckedContinuation<Result<Value, NetlinkError>, Never>) -> Bool {
        let early = state.withLock { state -> Result<Value, NetlinkError>? in
            if case .finished(let result) = state { return result }
            state = .waiting(caller)
            return nil
        }
        if let early { caller.resume(returning: early) }
        return early == nil
    }

    func finish(_ result: Result<Value, NetlinkError>) {
        let caller = state.withLock { state -> CheckedContinuation<Result<Value, NetlinkError>, Never>? in
            guard case .waiting(let caller) = state else { return nil }
            state = .finished(result)
            return caller
        }
        caller?.resume(returning: result)
    }
}
