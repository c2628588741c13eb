import Netlink

/// The part of a client that handles bytes from the kernel, without a socket, a thread or a waiting caller: datagrams,
/// files, and answers of `getsockopt`.
///
/// It exists for the packages that fuzz and measure it, which cannot import the target Netlink.
@_spi(Testing) public enum ReceivePath {
    /// The contents of a datagram, as counts.
    @_spi(Testing) public struct Tally: Hashable, Sendable {
        /// Messages that were read as a service.
        public var services = 0
        /// Messages that were read as a destination.
        public var destinations = 0
        /// Messages that were read as a sync daemon.
        public var daemons = 0
        /// Messages that were read as none of these.
        public var incomplete = 0
        /// Errors that answer a request.
        public var failures = 0
        /// The last request of the window was answered.
        public var isComplete = false
        /// Some bytes were not netlink, and the bytes behind them were not read.
        public var isMalformed = false
    }

    /// Reads one datagram, as the answer to a window of requests.
    ///
    /// The first message decides which window: its port is taken for the client's, and windows begin at sequence
    /// numbers that the size of a window divides. So captured bytes can be read unchanged, and changing one or two
    /// bytes moves a message anywhere in the window, or outside it.
    ///
    /// The kernel's answers do not say whether they are services or destinations; a client knows what it asked for.
    /// This function reads every message as both.
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
            // The family of the service, for kernels that do not send the destination's family.
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
            // Every message can be read as timeouts, and nearly every one as an info.
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
