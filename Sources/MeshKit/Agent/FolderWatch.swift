import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Watches which files of a folder are written, come and go (inotify).
final class FolderWatch: Sendable {
    /// What has happened in the folder.
    enum Event: Hashable {
        /// A file was written, came or went.
        case file(String)
        /// The folder itself is gone, and is no longer watched.
        case gone
        /// Events were lost.
        case lost
    }

    /// The descriptor, for waiting until there is something to read.
    let descriptor: CInt

    init() throws(Errno) {
        descriptor = inotify_init1(CInt(IN_CLOEXEC | IN_NONBLOCK))
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    }

    deinit { close(descriptor) }

    /// Watches a folder, as the calling thread sees it. Watching it once more does nothing.
    func watch(_ folder: String) throws(Errno) {
        let mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR
        guard inotify_add_watch(descriptor, folder, UInt32(mask)) >= 0 else { throw Errno(rawValue: errno) }
    }

    /// Reads all events that have arrived.
    func drain() -> Set<Event> {
        var events: Set<Event> = []
        withUnsafeTemporaryAllocation(byteCount: 16 * 1024, alignment: 8) { buffer in
            while true {
                let count = read(descriptor, buffer.baseAddress, buffer.count)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return }
                Self.parse(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]), into: &events)
            }
        }
        return events
    }

    /// Reads `struct inotify_event`s: a number, the mask, a cookie, the length of the name, and the name.
    private static func parse(_ bytes: UnsafeRawBufferPointer, into events: inout Set<Event>) {
        var rest = bytes[...]
        while rest.count >= 16 {
            let event = UnsafeRawBufferPointer(rebasing: rest)
            let mask = event.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
            let length = Int(event.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
            guard event.count >= 16 + length else { return }
            if mask & UInt32(IN_Q_OVERFLOW) != 0 {
                events.insert(.lost)
            } else if mask & UInt32(IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED) != 0 {
                events.insert(.gone)
            } else if length > 0 {
                let name = event[16..<16 + length].prefix { $0 != 0 }
                events.insert(.file(String(decoding: name, as: UTF8.self)))
            }
            rest = rest.dropFirst(16 + length)
        }
    }
}
