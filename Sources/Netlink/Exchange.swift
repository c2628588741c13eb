/// One call: the messages to send, what to do with what comes back, and who waits for it.
///
/// The caller, its deadline, its cancellation and the connection's thread meet here, and whichever finishes the
/// exchange first resumes the caller, once.
final class Exchange: @unchecked Sendable {
    // Sendable, though what writes the messages and handles the answers is not: both are called by the connection's
    // thread alone, and the caller reads what the handler gathered only after that thread has finished the exchange
    // without an interruption.

    enum Mode {
        /// Windows of so many messages, the last of each acknowledged.
        case acknowledged(window: Int)
        /// One message at a time, each answered by a dump.
        case dump
        /// All messages at once, between a beginning and an end; the last but the end is acknowledged.
        case transaction
    }

    typealias Caller = CheckedContinuation<Void, Never>

    private struct State {
        var isRunning = false
        var outcome: BatchOutcome
        var caller: Caller?
        /// Nil while it lasts.
        var result: Result<BatchOutcome, NetlinkError>?
    }

    let messages: Messages
    let mode: Mode
    let handler: (_ index: Int, _ message: NetlinkMessage) -> Void
    /// Told that the messages that answered so far are void: what they are part of is asked for once more.
    let restart: (_ index: Int) -> Void
    private let state: Locked<State>

    init(
        messages: Messages, mode: Mode,
        restart: @escaping (_ index: Int) -> Void = { _ in },
        handler: @escaping (_ index: Int, _ message: NetlinkMessage) -> Void
    ) {
        state = Locked(State(outcome: BatchOutcome(count: messages.count)))
        self.messages = messages
        self.mode = mode
        self.restart = restart
        self.handler = handler
    }

    var window: Int {
        switch mode {
        case .acknowledged(let window): window
        case .dump: 1
        case .transaction: messages.count
        }
    }

    /// How many messages of a window stand behind the one whose answer closes it.
    var trailing: Int {
        if case .transaction = mode { 1 } else { 0 }
    }

    var isAcknowledged: Bool {
        if case .acknowledged = mode { true } else { false }
    }

    var isFinished: Bool { state.withLock { $0.result != nil } }

    /// Called once, before the exchange is posted. False where it is over already, cancelled before it began: then
    /// the caller is resumed at once.
    func setCaller(_ caller: Caller) -> Bool {
        let isOver = state.withLock { state in
            if state.result == nil { state.caller = caller }
            return state.result != nil
        }
        if isOver { caller.resume() }
        return !isOver
    }

    /// False where nobody waits any more.
    func begin() -> Bool {
        state.withLock { state in
            state.isRunning = state.result == nil
            return state.isRunning
        }
    }

    /// Notes what has become of the messages so far. False where nobody waits any more.
    func progress(_ change: (inout BatchOutcome) -> Void) -> Bool {
        state.withLock { state in
            if state.result == nil { change(&state.outcome) }
            return state.result == nil
        }
    }

    func fail(_ error: NetlinkError) {
        complete { _ in .failure(error) }
    }

    /// The connection is done with it.
    func finish(_ interruption: Interruption? = nil) {
        complete { $0.ended(by: interruption) }
    }

    /// The caller goes away. True where a connection is at work on the exchange, and must be given up with its
    /// late replies.
    func abandon(_ reason: Interruption) -> Bool {
        complete { $0.ended(by: reason) }
    }

    /// True where this ended it, and a connection had begun it. Both are found out at once: a connection that begins
    /// in between would end its thread, as for every exchange that was abandoned, and nobody would give it up.
    @discardableResult
    private func complete(_ result: (inout BatchOutcome) -> Result<BatchOutcome, NetlinkError>) -> Bool {
        let (caller, wasRunning) = state.withLock { state -> (Caller?, Bool) in
            guard state.result == nil else { return (nil, false) }
            state.result = result(&state.outcome)
            defer { state.caller = nil }
            return (state.caller, state.isRunning)
        }
        caller?.resume()
        return wasRunning
    }

    /// What came of it, once the caller was resumed. Under the lock, which is also what makes visible to the caller
    /// all that the handler wrote.
    func get() throws(NetlinkError) -> BatchOutcome {
        guard let result = state.withLock({ $0.result }) else { preconditionFailure("the exchange is not over") }
        return try result.get()
    }
}

extension BatchOutcome {
    fileprivate mutating func ended(by interruption: Interruption?) -> Result<BatchOutcome, NetlinkError> {
        self.interruption = interruption
        return .success(self)
    }
}
