import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// An eventfd that ends the poll of a thread.
struct WakeUp: ~Copyable, Sendable {
    let descriptor: CInt

    init() throws(Errno) {
        descriptor = CNetlink_eventfd()
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    }

    deinit { close(descriptor) }

    func signal() {
        var one: UInt64 = 1
        // The write fails only if the counter is full, and then the poll ends anyway.
        _ = write(descriptor, &one, 8)
    }

    /// Blocks until the signal, until `other` has something to read, or until the limit.
    func wait(orReadable other: CInt? = nil, for limit: Duration? = nil) {
        var descriptors = [Self.waiting(for: descriptor), Self.waiting(for: other ?? -1)]
        wait(&descriptors, limit)
    }

    /// Blocks until the signal, until one of the others has something to read, or until the limit.
    func wait(orReadableAmong others: [CInt], for limit: Duration?) {
        var descriptors = [Self.waiting(for: descriptor)] + others.map(Self.waiting)
        wait(&descriptors, limit)
    }

    private static func waiting(for descriptor: CInt) -> pollfd {
        pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    }

    private func wait(_ descriptors: inout [pollfd], _ limit: Duration?) {
        // The limit is rounded up to milliseconds and bounded, so that it fits into the argument.
        let milliseconds = limit.map { CInt(min(max(($0 / .milliseconds(1)).rounded(.up), 0), 1e9)) }
        _ = poll(&descriptors, nfds_t(descriptors.count), milliseconds ?? -1)
        if descriptors[0].revents != 0 {
            var count: UInt64 = 0
            _ = read(descriptor, &count, 8)
        }
    }
}
