package import SystemPackage

/// A result that some other thread delivers, and a caller that waits for it. The result, the deadline or the
/// cancellation of the caller's task resumes the caller, whichever comes first, once.
package final class Awaited<Value: Sendable>: Sendable {
    private typealias Caller = CheckedContinuation<Result<Value, NetlinkError>, Never>

    private enum State {
        case waiting(Caller?)
        case finished(Result<Value, NetlinkError>)
    }

    private let state = Locked(State.waiting(nil))

    private init() {}

    /// Starts an operation and awaits the result that it passes to ``finish(_:)``.
    ///
    /// - Parameter start: begins the operation and returns at once: nil, or the reason why the operation could not
    ///   begin. It is not called if the task is already cancelled.
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

    /// Registers the caller. False if a result exists already; the caller has been resumed then.
    private func begin(_ caller: Caller) -> Bool {
        let early = state.withLock { state -> Result<Value, NetlinkError>? in
            if case .finished(let result) = state { return result }
            state = .waiting(caller)
            return nil
        }
        if let early { caller.resume(returning: early) }
        return early == nil
    }

    /// Resumes the caller, unless it was resumed before.
    package func finish(_ result: Result<Value, NetlinkError>) {
        let caller = state.withLock { state -> Caller? in
            guard case .waiting(let caller) = state else { return nil }
            state = .finished(result)
            return caller
        }
        caller?.resume(returning: result)
    }
}
