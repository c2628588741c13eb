import SystemPackage

/// A client of one netlink protocol in one network namespace. Safe to share between tasks.
///
/// Calls are posted to a connection that runs on a thread of its own. A call that passes its deadline or is
/// cancelled returns at once, wherever that thread is stuck; the connection is given up, and the next call gets
/// a new one.
package final class NetlinkClient: Sendable {
    private enum Peer: Sendable {
        case kernel(NetlinkProtocol, namespace: NamespaceHandle)
        case simulated(SimulatedSocket)
    }

    private struct State {
        /// Nil once the client is closed: what holds a namespace is let go of.
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

    /// Ends the thread, and with it the socket and the hold on the namespace; calls that are waiting, and those that come
    /// later, end with ``Interruption/closed``. To close what is closed does nothing.
    package func close() {
        let given = state.withLock { state in
            defer { state = State() }
            return state.connection
        }
        guard let given else { return }
        let (running, waiting) = given.close()
        // It may be stuck in the kernel: its caller does not wait for that.
        _ = running?.abandon(.closed)
        for exchange in waiting { exchange.fail(.interrupted(.closed)) }
    }

    /// The namespace that the client works in; nil where the kernel is simulated.
    package func namespace() throws(NetlinkError) -> NamespaceHandle? {
        switch state.withLock({ $0.peer }) {
        case nil: throw .interrupted(.closed)
        case .simulated: return nil
        case .kernel(_, let namespace): return namespace
        }
    }

    /// How many messages go to the kernel in one sendmsg: past 32 nothing is gained, past 277 the
    /// acknowledgements of failures no longer fit the default receive buffer.
    package static let window = 64

    /// Sends every message, the last of each window acknowledged, and tells what became of each.
    ///
    /// - Parameter handler: is given data messages on the connection's thread, in place.
    package func send(
        _ messages: Messages, deadline: Duration,
        handler: @escaping (_ index: Int, _ message: NetlinkMessage) -> Void = { _, _ in }
    ) async throws(NetlinkError) -> BatchOutcome {
        try await run(
            Exchange(messages: messages, mode: .acknowledged(window: Self.window), handler: handler), deadline: deadline
        )
    }

    /// Runs the dumps one behind the other: the kernel allows one at a time for each socket. One that was of no moment,
    /// since what it reads changed meanwhile (`NLM_F_DUMP_INTR`), is run again, and after some attempts interrupts the
    /// call (``Interruption/inconsistent``).
    ///
    /// - Parameters:
    ///   - restart: is told, on the connection's thread, that the answers so far to a message are void.
    ///   - handler: is given data messages on the connection's thread, in place.
    package func dump(
        _ messages: Messages, deadline: Duration, restart: @escaping (_ index: Int) -> Void,
        handler: @escaping (_ index: Int, _ message: NetlinkMessage) -> Void
    ) async throws(NetlinkError) -> BatchOutcome {
        try await run(Exchange(messages: messages, mode: .dump, restart: restart, handler: handler), deadline: deadline)
    }

    func run(_ exchange: Exchange, deadline: Duration) async throws(NetlinkError) -> BatchOutcome {
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

    /// Runs on the connection's thread, which must not hold the client: the client's end is what ends the thread.
    private static func open(_ peer: Peer) -> Result<TransportBox, NetlinkError> {
        switch peer {
        case .simulated(let socket):
            return .success(TransportBox(.simulated(socket, pending: [])))
        case .kernel(let netlinkProtocol, let namespace):
            // The socket stays in the namespace that it was made in. The connection's thread never goes there, since
            // it resumes callers: see DetachedThread.
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
