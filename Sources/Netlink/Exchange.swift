/// One call: the messages to send, the handler of the answers, and the caller that waits.
///
/// The caller, its deadline, its cancellation and the connection's thread meet here. Whichever finishes the exchange
/// first resumes the caller, once.
final class Exchange: @unchecked Sendable {
    // The exchange is Sendable although its closures, which write messages and handle answers, are not: only the
    // connection's thread calls them, and the caller reads their results only after that thread has finished the
    // exchange without an interruption.

    enum Mode {
        /// Windows of this many messages. The last message of each window is acknowledged.
        case acknowledged(window: Int)
        /// One message at a time. Each is answered by a dump.
        case dump
        /// All messages at once, between a message that begins the transaction and one that ends it. The last message
        /// before the end is acknowledged.
        case transaction
    }

    typealias Caller = CheckedContinuation<Void, Never>

    private struct State {
        var isRunning = false
        var outcome: BatchOutcome
        var caller: Caller?
        /// The result; nil until the exchange is over.
        var result: Result<BatchOutcome, NetlinkError>?
    }

    let messages: Messages
    let mode: Mode
    let handler: (_ index: Int, _ message: NetlinkMessage) -> Void
    /// Called when the answers to a message so far are void, because the message is sent once more.
    let restart: (_ index: Int) -> Void
    private let state: Locked<State>
    /// The hold of the caller's task. It is kept until the connection releases the exchange, because the connection's
    /// thread may be stuck in the kernel with it.
    private let hold = Hold.current

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

    /// The number of messages in a window behind the one whose answer completes the window.
    var trailing: Int {
        if case .transaction = mode { 1 } else { 0 }
    }

    var isAcknowledged: Bool {
        if case .acknowledged = mode { true } else { false }
    }

    var isFinished: Bool { state.withLock { $0.result != nil } }

    /// Registers the caller, once, before the exchange is posted. False if the exchange was cancelled before; the
    /// caller is then resumed at once.
    func setCaller(_ caller: Caller) -> Bool {
        let isOver = state.withLock { state in
            if state.result == nil { state.caller = caller }
            return state.result != nil
        }
        if isOver { caller.resume() }
        return !isOver
    }

    /// Marks the exchange as running. False if its caller no longer waits.
    func begin() -> Bool {
        state.withLock { state in
            state.isRunning = state.result == nil
            return state.isRunning
        }
    }

    /// Updates the outcome. False if the caller no longer waits.
    func progress(_ change: (inout BatchOutcome) -> Void) -> Bool {
        state.withLock { state in
            if state.result == nil { change(&state.outcome) }
            return state.result == nil
        }
    }

    func fail(_ error: NetlinkError) {
        complete { _ in .failure(error) }
    }

    /// Finishes the exchange with its outcome so far.
    func finish(_ interruption: Interruption? = nil) {
        complete { $0.ended(by: interruption) }
    }

    /// Ends the exchange because its caller stops waiting. True if a connection is serving it; the connection has to be
    /// given up, since its replies may come late.
    func abandon(_ reason: Interruption) -> Bool {
        complete { $0.ended(by: reason) }
    }

    /// Ends the exchange, if it has not ended. True if this call ended it and a connection had begun it. Both are found
    /// under one lock: a connection that began in between would end its thread, as for every abandoned exchange, and
    /// nobody would replace it.
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

    /// The result, after the caller was resumed. It is read under the lock, which also makes everything that the
    /// handler wrote visible to the caller.
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
