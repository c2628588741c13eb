import Netlink

/// What a client does with a datagram from the kernel, by itself: no socket, no thread, nobody who waits. And with
/// what comes another way, by a file or by `getsockopt`.
///
/// For the packages that fuzz and measure it, which see nothing of the target Netlink.
@_spi(Testing) public enum ReceivePath {
    /// What was found in a datagram, but for the services and destinations themselves.
    @_spi(Testing) public struct Tally: Hashable, Sendable {
        /// Messages that made a service.
        public var services = 0
        /// Messages that made a destination.
        public var destinations = 0
        /// Messages that made a synchronisation daemon.
        public var daemons = 0
        /// Messages that made none of these.
        public var incomplete = 0
        /// Errors that answer a request.
        public var failures = 0
        /// The last request of the window was answered.
        public var isComplete = false
        /// Something was not netlink; what stands behind it was not read.
        public var isMalformed = false
    }

    /// Reads one datagram, as the answer to a window of requests.
    ///
    /// Which one, the first message says: its port is taken for the client's own, and windows begin at sequence
    /// numbers that the size of a window divides. So captured bytes can be read as they came, and a change to a byte
    /// or two makes a message stand anywhere in the window, or outside.
    ///
    /// The kernel's answers do not say whether they are services or destinations; a client knows what it asked for.
    /// Here every message is read as both.
    public static func parse(
        _ datagram: UnsafeRawBufferPointer, service: (VirtualServiceSummary) -> Void,
        destination: (DestinationStatus) -> Void, other: (Int) -> Void = { _ in }
    ) -> Tally {
        var tally = Tally()
        let first = datagram.count >= 16 ? datagram : UnsafeRawBufferPointer(start: nil, count: 0)
        let sequence = first.isEmpty ? 0 : first.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
        let port = first.isEmpty ? 0 : first.loadUnaligned(fromByteOffset: 12, as: UInt32.self)
        let size = NetlinkClient.window
        var window = ReplyWindow(range: 0..<size, firstSequence: sequence - sequence % UInt32(size))
        let verdict = window.take(datagram, port: port) { index, message in
            var isEntry = false
            if let status = VirtualServiceSummary(message) {
                isEntry = true
                tally.services += 1
                service(status)
            }
            // The family of the service, for kernels that do not say the destination's.
            if let status = DestinationStatus(message, serviceFamily: index.isMultiple(of: 2) ? .ipv4 : .ipv6) {
                isEntry = true
                tally.destinations += 1
                destination(status)
            }
            if let daemon = SyncDaemon(message) {
                isEntry = true
                tally.daemons += 1
                other(daemon.hashValue)
            }
            // Nothing is missing from timeouts, and nearly nothing from an info.
            other(Timeouts(message).hashValue)
            other(Info(message).hashValue)
            if !isEntry { tally.incomplete += 1 }
        }
        tally.failures = window.failures.count
        tally.isComplete = verdict == .complete
        tally.isMalformed = verdict == .malformed
        return tally
    }
}
