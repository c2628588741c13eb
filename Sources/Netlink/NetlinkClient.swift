import SystemPackage

/// A client of one netlink protocol in one network namespace. Safe to share between tasks.
///
/// Calls are posted to a connection, which runs on a thread of its own. A call that passes its deadline or is cancelled
/// returns at once, even if that thread is stuck. The connection is then given up, and the next call gets a new one.
package final class NetlinkClient: Sendable {
    private enum Peer: Sendable {
        case kernel(NetlinkProtocol, namespace: NamespaceHandle)
        case simulated(SimulatedSocket)
    }

    private struct State {
        /// The other side; nil after the client was closed, so that the namespace is released.
        var peer: Peer?
        var connection: Connection?
    }

    private let state: Locked<State>

    package init(_ netlinkProtocol: NetlinkProtocol, namespace: NamespaceHandle) {
        state = Locked(State(peer: .kernel(netlinkProtocol, namespace: namespace)))
    }

    package init(simulating kernel: @escaping SimulatedKernel) {
        state = Locked(State(peer: .simulated { request in kernel(request).map { .success($0) } }))
    }

    private init(socket: @escaping SimulatedSocket) {
        state = Locked(State(peer: .simulated(socket)))
    }

    package static func simulating(socket: @escaping SimulatedSocket) -> NetlinkClient { NetlinkClient(socket: socket) }

    deinit { _ = state.withLock { $0.connection?.retire() } }

    /// Ends the thread and closes the socket, and releases the namespace. Waiting and later calls end with
    /// ``Interruption/closed``. Closing a closed client does nothing.
    package func close() {
        let given = state.withLock { state in
            defer { state = State() }
            return state.connection
        }
        guard let given else { return }
        let (running, waiting) = given.close()
        // The thread may be stuck in the kernel with the running call, whose caller must not wait for that.
        _ = running?.abandon(.closed)
        for exchange in waiting { exchange.fail(.interrupted(.closed)) }
    }

    /// Ends the thread and closes the socket. The next call gets others. Calls that wait are served by another thread.
    package func rest() {
        let given = state.withLock { state in
            defer { state.connection = nil }
            return state.connection
        }
        if let waiting = given?.retire(), !waiting.isEmpty { post(waiting) }
    }

    /// The namespace in which the client works; nil if the kernel is simulated.
    package func namespace() throws(NetlinkError) -> NamespaceHandle? {
        switch state.withLock({ $0.peer }) {
        case nil: throw .interrupted(.closed)
        case .simulated: return nil
        case .kernel(_, let namespace): return namespace
        }
    }

    /// The kernel's number of the namespace (`SO_NETNS_COOKIE`), which no other namespace gets until the next boot. Known
    /// once a call has been answered; nil before, while the client rests, and before Linux 5.14.
    package var namespaceCookie: UInt64? { state.withLock { $0.connection }?.namespaceCookie }

    /// The number of messages that are given to the kernel in one sendmsg. More than 32 gain nothing; with more than
    /// 277, the acknowledgements of failures no longer fit into the default receive buffer.
    package static let window = 64

    /// Sends all messages and returns the outcome of each. The last message of each window is acknowledged.
    ///
    /// - Parameter handler: receives data messages in place, on the connection's thread.
    package func send(
        _ messages: Messages, deadline: Duration,
        handler: @escaping (_ index: Int, _ message: NetlinkMessage) -> Void = { _, _ in }
    ) async throws(NetlinkError) -> BatchOutcome {
        try await run(
            Exchange(messages: messages, mode: .acknowledged(window: Self.window), handler: handler), deadline: deadline
        )
    }

    /// Runs the dumps one after the other, since the kernel allows one at a time for each socket. A dump whose contents
    /// changed while it was read (`NLM_F_DUMP_INTR`) is run again; after some attempts, it interrupts the call
    /// (``Interruption/inconsistent``).
    ///
    /// - Parameters:
    ///   - restart: called on the connection's thread when the answers to a message so far are void.
    ///   - handler: receives data messages in place, on the connection's thread.
    package func dump(
        _ messages: Messages, deadline: Duration, restart: @escaping (_ index: Int) -> Void,
        handler: @escaping (_ index: Int, _ message: NetlinkMessage) -> Void
    ) async throws(NetlinkError) -> BatchOutcome {
        try await run(Exchange(messages: messages, mode: .dump, restart: restart, handler: handler), deadline: deadline)
    }

    func run(_ exchange: Exchange, deadline: Duration) async throws(NetlinkError) -> BatchOutcome {
        guard deadline > .zero else {
            var outcome = BatchOutcome(count: exchange.messages.count)
            outcome.interruption = .deadlineExceeded
            return outcome
        }
        let entry: Deadlines.Entry
        do throws(Errno) {
            entry = try Deadlines.shared.add(after: deadline) { [self] in abandon(exchange, .deadlineExceeded) }
        } catch {
            throw .socket(error)
        }
        defer { Deadlines.shared.remove(entry) }
        await withCancellableContinuation { caller in
            if exchange.setCaller(caller) { post([exchange]) }
        } onCancel: {
            abandon(exchange, .cancelled)
        }
        return try exchange.get()
    }

    private func abandon(_ exchange: Exchange, _ reason: Interruption) {
        guard exchange.abandon(reason) else { return }
        let given = state.withLock { state in
            defer { state.connection = nil }
            return state.connection
        }
        if let waiting = given?.retire(), !waiting.isEmpty { post(waiting) }
    }

    private func post(_ exchanges: [Exchange]) {
        let failed = state.withLock { state in
            var failed: [(Exchange, NetlinkError)] = []
            for exchange in exchanges where state.connection?.post(exchange) != true {
                do throws(NetlinkError) {
                    guard let peer = state.peer else { throw .interrupted(.closed) }
                    state.connection = try Connection(serving: exchange) { Self.open(peer) }
                } catch {
                    failed.append((exchange, error))
                }
            }
            return failed
        }
        for (exchange, error) in failed { exchange.fail(error) }
    }

    /// Opens a transport. It runs on the connection's thread, which must not keep the client alive: the end of the
    /// client ends the thread.
    private static func open(_ peer: Peer) -> Result<TransportBox, NetlinkError> {
        switch peer {
        case .simulated(let socket):
            return .success(TransportBox(.simulated(socket, pending: [])))
        case .kernel(let netlinkProtocol, let namespace):
            // A socket stays in the namespace in which it was made. The connection's thread never enters that
            // namespace, since it resumes callers (see DetachedThread).
            do throws(Errno) {
                return try DetachedThread.inside {
                    do throws(Errno) {
                        try namespace.enter()
                    } catch {
                        return .failure(.namespace(error))
                    }
                    do throws(NetlinkError) {
                        return .success(TransportBox(.socket(try NetlinkSocket(netlinkProtocol))))
                    } catch {
                        return .failure(error)
                    }
                }
            } catch {
                return .failure(.socket(error))
            }
        }
    }
}
