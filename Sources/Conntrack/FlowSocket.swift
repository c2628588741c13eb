import CConntrack
import Synchronization
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A socket to the kernel's table of flows for one call, on the thread of that call, which may block.
struct FlowSocket: ~Copyable {
    /// Why the call goes no further.
    enum Failure: Error, Hashable {
        case open(Errno)
        case socket(Errno)
        case refused(Errno)
        case malformedReply
        /// The deadline passed or nobody waits any more.
        case stopped
    }

    /// How many deletions go in one send. The kernel answers each that fails before it returns from it, and a receive
    /// buffer of the usual size must hold the answers: Linux 6.12's does not hold 256 of them.
    static let batch = 128

    private let descriptor: CInt
    private let stop: Stop
    private var sequence: UInt32 = 0
    /// The kernel builds dumps of up to 32 KiB when the reader's buffer is that large.
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 8)
    private(set) var figures = ConntrackFigures()

    /// Opens in the network namespace of the calling thread.
    init(stop: Stop) throws(Failure) {
        let descriptor = CConntrack_open()
        guard descriptor >= 0 else {
            let error = Errno(rawValue: errno)
            buffer.deallocate()
            throw .open(error)
        }
        self.descriptor = descriptor
        self.stop = stop
    }

    deinit {
        close(descriptor)
        buffer.deallocate()
    }

    /// Gives every entry of the dump to `body`.
    mutating func dump(_ request: DumpRequest, filters: Bool, _ body: (CConntrackEntry) -> Void) throws(Failure) {
        sequence &+= 1
        figures.dumps += 1
        let length = request.build(into: buffer.baseAddress!, sequence: sequence, filters: filters)
        try send(length)
        let mine = sequence
        var received = 0
        try receive { reply throws(Failure) in
            guard reply.sequence == mine else { return false }
            switch reply.kind {
            case CConntrackReplyEntry:
                received += 1
                body(reply.entry)
                return false
            case CConntrackReplyDone, CConntrackReplyAnswer:
                if reply.error != 0 { throw .refused(Errno(rawValue: reply.error)) }
                return true
            default: return false
            }
        }
        figures.received += received
    }

    /// Deletes the entries, many in one message to the kernel, and gives how many it deleted. One that went by itself
    /// meanwhile is no failure, and not counted. What is refused stops nothing: the first refusal is thrown after the
    /// last entry.
    mutating func delete(_ entries: [CConntrackEntry]) throws(Failure) -> Int {
        var deleted = 0
        var refusal: Errno?
        for start in stride(from: 0, to: entries.count, by: Self.batch) {
            deleted += try delete(batch: entries[start..<min(start + Self.batch, entries.count)], refusal: &refusal)
        }
        if let refusal { throw .refused(refusal) }
        return deleted
    }

    private mutating func delete(
        batch entries: ArraySlice<CConntrackEntry>, refusal: inout Errno?
    ) throws(Failure) -> Int {
        let base = buffer.baseAddress!
        let first = sequence &+ 1
        var length = 0
        var last: Int?
        for var entry in entries {
            precondition(length + Int(CConntrack_MESSAGE_SIZE) <= buffer.count)
            let more = CConntrack_build_delete(base + length, sequence &+ 1, &entry)
            guard more > 0 else {
                refusal = refusal ?? .noMemory
                continue
            }
            sequence &+= 1
            last = length
            length += more
        }
        guard let last else { return 0 }
        // The kernel answers a message that fails, and the last, in this order: with its answer all are known.
        CConntrack_acknowledge(base + last)
        try send(length)

        let sequences = first...sequence
        var failed = 0
        var refused = refusal
        try receive { reply throws(Failure) in
            guard reply.kind == CConntrackReplyAnswer, sequences.contains(reply.sequence) else { return false }
            if reply.error != 0 {
                failed += 1
                let errno = Errno(rawValue: reply.error)
                if errno != .noSuchFileOrDirectory { refused = refused ?? errno }
            }
            return reply.sequence == sequences.upperBound
        }
        refusal = refused
        return sequences.count - failed
    }

    /// What lies at the beginning of the buffer.
    private mutating func send(_ length: Int) throws(Failure) {
        if stop.isDue { throw .stopped }
        figures.sends += 1
        while Glibc.send(descriptor, buffer.baseAddress, length, 0) < 0 {
            if errno != EINTR { throw .socket(Errno(rawValue: errno)) }
        }
    }

    /// Gives every message that comes to `body`, until it says that it was the last.
    private mutating func receive(_ body: (borrowing CConntrackReply) throws(Failure) -> Bool) throws(Failure) {
        var reply = CConntrackReply()
        while true {
            try waitUntilReadable()
            let count: Int
            switch receiveFromKernel(
                descriptor, into: UnsafeMutableRawBufferPointer(buffer), flags: CInt(MSG_DONTWAIT))
            {
            case .success(let received): count = received
            case .failure(.resourceTemporarilyUnavailable): continue
            case .failure(let error): throw .socket(error)
            }
            var offset = 0
            while offset < count {
                let length = CConntrack_read(buffer.baseAddress! + offset, count - offset, &reply)
                guard length > 0 else { throw .malformedReply }
                if try body(reply) { return }
                offset += length
            }
        }
    }

    private func waitUntilReadable() throws(Failure) {
        var descriptor = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while true {
            if stop.isDue { throw .stopped }
            // Not longer than it may take to notice that nobody waits any more.
            let ready = poll(&descriptor, 1, 200)
            if ready > 0 { return }
            if ready < 0, errno != EINTR { throw .socket(Errno(rawValue: errno)) }
        }
    }
}

/// What a call took of the kernel.
package struct ConntrackFigures: Hashable, Sendable {
    package var dumps = 0
    /// Entries that the kernel gave in the dumps.
    package var received = 0
    /// Calls of send(2), those of the dumps among them.
    package var sends = 0
}

/// Tells the thread of a call that nobody waits for it any more.
final class Stop: Sendable {
    private let deadline: ContinuousClock.Instant
    private let isCancelled = Atomic(false)

    init(after deadline: Duration) { self.deadline = .now.advanced(by: deadline) }

    func cancel() { isCancelled.store(true, ordering: .relaxed) }

    var isDue: Bool { isCancelled.load(ordering: .relaxed) || .now >= deadline }
}
