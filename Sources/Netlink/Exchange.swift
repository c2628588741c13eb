/// One call: the messages to send, what to do with what comes back, and who waits for it.
///
/// The caller, its deadline, its cancellation and the connection's thread meet here, and whichever finishes the
/// exchange first resumes the caller, once.
final class Exchange: @unchecked Sendable {
    // Sendable, though the writer and the handler are not: both are touched by the connection's thread alone
    // from the moment the exchange is posted, and the caller reads what the handler gathered only after that
    // thread has finished the exchange without an interruption.

    enum Mode {
        /// Windows of so many messages, the last of each acknowledged.
        case acknowledged(window: Int)
        /// One message at a time, each answered by a dump.
        case dump
    }

    typealias Completion = CheckedContinuation<Result<BatchOutcome, NetlinkError>, Never>

    private struct State {
        var isRunning = false
        var isFinished = false
        var outcome: BatchOutcome
        var completion: Completion?
    }

    let messages: MessageWriter
    let mode: Mode
    let handler: (_ index: Int, _ message: GenericMessage) -> Void
    private let state: Locked<State>

    init(
        messages: consuming MessageWriter, mode: Mode,
        handler: @escaping (_ index: Int, _ message: GenericMessage) -> Void
    ) {
        state = Locked(State(outcome: BatchOutcome(count: messages.messageCount)))
        self.messages = messages
        self.mode = mode
        self.handler = handler
    }

    var window: Int {
        switch mode {
        case .acknowledged(let window): window
        case .dump: 1
        }
    }

    var isAcknowledged: Bool {
        if case .acknowledged = mode { true } else { false }
    }

    var isFinished: Bool { state.withLock { $0.isFinished } }

    /// Called once, before the exchange is posted. A deadline may have passed already: then resumes at once.
    func setCompletion(_ completion: Completion) -> Bool {
        let alreadyFinished = state.withLock { state in
            if !state.isFinished { state.completion = completion }
            return state.isFinished
        }
        if alreadyFinished { completion.resume(returning: .success(state.withLock { $0.outcome })) }
        return !alreadyFinished
    }

    /// False where nobody waits any more.
    func begin() -> Bool {
        state.withLock { state in
            state.isRunning = !state.isFinished
            return state.isRunning
        }
    }

    /// Notes what has become of the messages so far. False where nobody waits any more.
    func progress(_ change: (inout BatchOutcome) -> Void) -> Bool {
        state.withLock { state in
            if !state.isFinished { change(&state.outcome) }
            return !state.isFinished
        }
    }

    func fail(_ error: NetlinkError) {
        complete { _ in .failure(error) }
    }

    /// The connection is done with it.
    func finish(_ interruption: Interruption? = nil) {
        complete { outcome in
            outcome.interruption = interruption
            return .success(outcome)
        }
    }

    /// The caller goes away. True where a connection is at work on the exchange, and must be given up with its
    /// late replies.
    func abandon(_ reason: Interruption) -> Bool {
        let wasRunning = state.withLock { $0.isRunning && !$0.isFinished }
        finish(reason)
        return wasRunning
    }

    private func complete(_ result: (inout BatchOutcome) -> Result<BatchOutcome, NetlinkError>) {
        let resume = state.withLock { state -> (Completion, Result<BatchOutcome, NetlinkError>)? in
            guard !state.isFinished else { return nil }
            state.isFinished = true
            let result = result(&state.outcome)
            defer { state.completion = nil }
            return state.completion.map { ($0, result) }
        }
        if let (completion, result) = resume { completion.resume(returning: result) }
    }
}
