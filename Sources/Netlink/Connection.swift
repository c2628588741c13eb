import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A socket and the thread that owns it. Exchanges are served in the order in which they were posted.
///
/// The thread blocks in poll and recvmsg, so that no thread of Swift's pool ever does. If the caller of a running
/// exchange stops waiting, the whole connection is given up: its thread may be stuck in the kernel, and late replies
/// must not meet the next exchange.
final class Connection: Sendable {
    private struct State {
        var queue: [Exchange]
        /// The exchange that the thread is serving.
        var running: Exchange?
        var isRetired = false
        /// Nil until the transport is open, and where the kernel has no such number.
        var namespaceCookie: UInt64?
    }

    private enum Verdict {
        case served
        /// The replies can no longer be assigned to their requests, so the socket has to be closed and another opened.
        case reopen
        case abandoned
    }

    /// The size of the receive buffer in bytes. The kernel builds dumps of up to 32 KiB if the reader's buffer is that
    /// large.
    private static let bufferSize = 64 * 1024

    /// The number of attempts at reading a dump. A change during a dump costs one attempt. If a change happens during
    /// each of so many, somebody is changing the table as fast as they can.
    static let dumpAttempts = 10

    private let state: Locked<State>
    private let wakeUp: WakeUp

    /// Starts the thread, which opens the transport itself, so that the caller does not block.
    ///
    /// - Parameter first: the first exchange, posted at once. If the transport cannot be opened, it fails together with
    ///   all waiting exchanges.
    init(
        serving first: Exchange, open: @escaping @Sendable () -> Result<TransportBox, NetlinkError>
    ) throws(NetlinkError) {
        state = Locked(State(queue: [first]))
        do {
            wakeUp = try WakeUp()
            try DetachedThread.start { [self] in run(open) }
        } catch {
            throw .socket(error)
        }
    }

    /// The kernel's number of the namespace that the connection works in, once an exchange has been served.
    var namespaceCookie: UInt64? { state.withLock { $0.namespaceCookie } }

    /// Queues an exchange. False if the connection accepts no more.
    func post(_ exchange: Exchange) -> Bool {
        let posted = state.withLock { state in
            if !state.isRetired { state.queue.append(exchange) }
            return !state.isRetired
        }
        if posted { wakeUp.signal() }
        return posted
    }

    /// Tells the thread to end, and returns the exchanges that it had not begun.
    func retire() -> [Exchange] { close().waiting }

    /// Tells the thread to end, and returns the running exchange and those that it had not begun.
    func close() -> (running: Exchange?, waiting: [Exchange]) {
        let rest = state.withLock { state in
            state.isRetired = true
            defer { state.queue = [] }
            return (state.running, state.queue)
        }
        wakeUp.signal()
        return rest
    }

    // MARK: The thread

    private func run(_ open: () -> Result<TransportBox, NetlinkError>) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.bufferSize, alignment: 8)
        defer { buffer.deallocate() }
        var writer = MessageWriter()
        var sequence: UInt32 = 1

        while true {
            let box: TransportBox
            switch open() {
            case .success(let opened):
                box = opened
                let cookie = box.transport.namespaceCookie
                state.withLock { $0.namespaceCookie = cookie }
            case .failure(let error):
                for exchange in retire() { exchange.fail(error) }
                return
            }
            serving: while true {
                guard let exchange = nextExchange() else { return }
                switch serve(exchange, over: &box.transport, firstSequence: sequence, &writer, buffer) {
                case .served: sequence &+= UInt32(truncatingIfNeeded: exchange.messages.count)
                case .reopen: break serving
                case .abandoned: return
                }
            }
        }
    }

    private func nextExchange() -> Exchange? {
        while true {
            let (next, isRetired) = state.withLock { state in
                state.running = state.queue.isEmpty ? nil : state.queue.removeFirst()
                return (state.running, state.isRetired)
            }
            if isRetired { return nil }
            if let next {
                if next.begin() { return next }
            } else {
                wakeUp.wait()
            }
        }
    }

    private func serve(
        _ exchange: Exchange, over transport: inout Transport, firstSequence: UInt32, _ writer: inout MessageWriter,
        _ buffer: UnsafeMutableRawBufferPointer
    ) -> Verdict {
        let count = exchange.messages.count
        var index = 0
        var mayResolveAgain = true
        var attempts = 0
        while index < count {
            let range = index..<min(index + exchange.window, count)
            var window = ReplyWindow(
                range: range, firstSequence: firstSequence &+ UInt32(index),
                closing: range.upperBound - 1 - exchange.trailing)
            writer.empty(family: transport.family, sequence: window.firstSequence)
            exchange.messages.write(window.range, &writer)
            if exchange.isAcknowledged { writer.acknowledgeLast() }
            // Progress is noted before sending: a call that ends while the kernel is busy must not claim that nothing
            // was sent.
            guard exchange.progress({ $0.sent = window.range.upperBound }) else { return .abandoned }
            if let error = transport.send(writer.bytes) {
                _ = exchange.progress { $0.sent = window.range.lowerBound }
                exchange.finish(.socket(error))
                return .reopen
            }

            var interruption: Interruption?
            switch receive(&window, of: exchange, over: &transport, buffer: buffer) {
            case .abandoned: return .abandoned
            case .answered: interruption = nil
            case .interrupted(let reason): interruption = reason
            }
            if interruption == nil, mayResolveAgain, window.saysUnknownFamily {
                mayResolveAgain = false
                switch transport.resolveFamilyAgain() {
                case .unchanged: break
                case .changed: continue
                case .gone:
                    // The kernel carried out nothing of this window.
                    _ = exchange.progress { $0.sent = index }
                    index == 0 ? exchange.fail(.interrupted(.familyNotFound)) : exchange.finish(.familyNotFound)
                    return .reopen
                case .unknown(let error):
                    _ = exchange.progress { $0.sent = index }
                    index == 0 ? exchange.fail(error) : exchange.finish(.socket(error.errno ?? .ioError))
                    return .reopen
                }
            }
            if interruption == nil, window.isInconsistent, window.failures.isEmpty {
                attempts += 1
                if attempts < Self.dumpAttempts {
                    exchange.restart(index)
                    continue
                }
                interruption = .inconsistent
            }
            attempts = 0
            let goesOn = exchange.progress { outcome in
                outcome.failures += window.failures
                if interruption == nil { outcome.confirmed = window.range.upperBound }
            }
            guard goesOn else { return .abandoned }
            if let interruption {
                exchange.finish(interruption)
                return .reopen
            }
            index = window.range.upperBound
        }
        exchange.finish()
        return .served
    }

    private enum Ending {
        case answered
        case interrupted(Interruption)
        case abandoned
    }

    /// Receives until the last message of the window is answered.
    private func receive(
        _ window: inout ReplyWindow, of exchange: Exchange, over transport: inout Transport,
        buffer: UnsafeMutableRawBufferPointer
    ) -> Ending {
        var hasLost = false
        while true {
            switch transport.receive(into: buffer) {
            case .success(let count):
                let datagram = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])
                switch window.take(datagram, port: transport.port, handler: exchange.handler) {
                case .more: continue
                case .complete: return hasLost ? .interrupted(.repliesLost) : .answered
                case .malformed: return .interrupted(.malformedReply)
                }
            case .failure(.resourceTemporarilyUnavailable):
                if hasLost { return .interrupted(.repliesLost) }
                wakeUp.wait(orReadable: transport.descriptor)
                if exchange.isFinished { return .abandoned }
            case .failure(.noBufferSpace):
                // The kernel reports lost replies before it delivers the datagrams that did arrive, which are still
                // evaluated.
                hasLost = true
            case .failure(let error): return .interrupted(.socket(error))
            }
        }
    }
}

/// Carries a transport, which cannot be copied, through a `Result`.
final class TransportBox {
    var transport: Transport
    init(_ transport: consuming Transport) { self.transport = transport }
}
