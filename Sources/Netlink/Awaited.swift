package import SystemPackage

/// Something that goes on by itself, and a caller who waits for it until a deadline, or until its task is cancelled. The
/// first of the three to finish resumes the caller, once.
package final class Awaited<Value: Sendable>: Sendable {
    private typealias Caller = CheckedContinuation<Result<Value, NetlinkError>, Never>

    private enum State {
        case waiting(Caller?)
        case finished(Result<Value, NetlinkError>)
    }

    private let state = Locked(State.waiting(nil))

    private init() {}

    /// Starts something and awaits what it gives to ``finish(_:)``.
    ///
    /// - Parameter start: begins what is awaited, and returns at once: nil, or why it could not begin. Not called where the task
    ///   is cancelled already.
    package static func value(
        deadline: Duration, _ start: (Awaited) -> Errno?
    ) async throws(NetlinkError) -> Value {
        let awaited = Awaited()
        let entry: Deadlines.Entry
        do throws(Errno) {
            entry = try Deadlines.shared.add(after: deadline) {
                awaited.finish(.failure(.interrupted(.deadlineExceeded)))
            }
        } catch {
            throw .socket(error)
        }
        defer { Deadlines.shared.remove(entry) }
        let result = await withCancellableContinuation { caller in
            guard awaited.begin(caller) else { return }
            if let error = start(awaited) { awaited.finish(.failure(.socket(error))) }
        } onCancel: {
            awaited.finish(.failure(.interrupted(.cancelled)))
        }
        return try result.get()
    }

    /// Whether the caller still waits.
    package var isWanted: Bool {
        state.withLock { state in
            if case .waiting = state { true } else { false }
        }
    }

    /// False where it is finished before it began; the caller has been resumed then.
    private func begin(_ caller: Caller) -> Bool {
        let early = state.withLock { state -> Result<Value, NetlinkError>? in
            if case .finished(let result) = state { return result }
            state = .waiting(caller)
            return nil
        }
        if let early { caller.resume(returning: early) }
        return early == nil
    }

    /// Resumes the caller, unless it has gone.
    package func finish(_ result: Result<Value, NetlinkError>) {
        let caller = state.withLock { state -> Caller? in
            guard case .waiting(let caller) = state else { return nil }
            state = .finished(result)
            return caller
        }
        caller?.resume(returning: result)
    }
}
