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
        // The limit is rounded up to milliseconds and bounded, so that it fits into the argument.
        let milliseconds = limit.map { CInt(min(max(($0 / .milliseconds(1)).rounded(.up), 0), 1e9)) }
        var descriptors = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: other ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        _ = poll(&descriptors, 2, milliseconds ?? -1)
        if descriptors[0].revents != 0 {
            var count: UInt64 = 0
            _ = read(descriptor, &count, 8)
        }
    }
}
