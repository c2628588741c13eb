import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A socket and the thread that owns it. Exchanges are served in the order they were posted.
///
/// The thread blocks in poll and recvmsg, so that no thread of Swift's pool ever does. An exchange whose caller
/// has gone takes the whole connection with it: the thread may be stuck in the kernel, and late replies must
/// not meet the next exchange.
final class Connection: Sendable {
    private struct State {
        var queue: [Exchange]
        /// What the thread is at.
        var running: Exchange?
        var isRetired = false
    }

    private enum Verdict {
        case served
        /// The replies can no longer be told apart: close the socket, open another.
        case reopen
        case abandoned
    }

    /// The kernel builds dumps of up to 32 KiB when the reader's buffer is that large.
    private static let bufferSize = 64 * 1024

    /// How often a dump is read before it counts as one that cannot be read. A change during a dump costs a reading; one
    /// during each of so many is what a table looks like that somebody fills as fast as they can.
    static let dumpAttempts = 10

    private let state: Locked<State>
    private let wakeUp: WakeUp

    /// Starts the thread, which opens the transport there: in its namespace, and without blocking the caller.
    ///
    /// - Parameter first: posted before the thread can fail to open, and with it all that waits.
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

    /// False where the connection takes no more.
    func post(_ exchange: Exchange) -> Bool {
        let posted = state.withLock { state in
            if !state.isRetired { state.queue.append(exchange) }
            return !state.isRetired
        }
        if posted { wakeUp.signal() }
        return posted
    }

    /// Ends the thread as soon as it looks, and hands back what it had not begun.
    func retire() -> [Exchange] { close().waiting }

    /// Ends the thread as soon as it looks, and hands back what it had not begun, and what it is at.
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
            case .success(let opened): box = opened
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
            // Noted first: a call that ends while the kernel is at it must not say that nothing was sent.
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
                    // Of this window nothing was done.
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

    /// Receives until the window's last message is answered.
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
                // The kernel says so before it hands over what did arrive, which is known.
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
