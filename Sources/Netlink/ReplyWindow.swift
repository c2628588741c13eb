import SystemPackage

/// Assigns the replies to the messages of one window. Pure: bytes in, outcomes out.
package struct ReplyWindow {
    package enum Verdict {
        case more
        case complete
        case malformed
    }

    /// The indices of the messages within their exchange.
    let range: Range<Int>
    /// The sequence number of the first message.
    let firstSequence: UInt32
    /// The index of the message whose answer completes the window: the kernel answers in order, so the others are
    /// answered by then.
    private let closing: Int
    package private(set) var failures: [BatchOutcome.Failure] = []
    /// Whether the contents of a dump changed while it was read (`NLM_F_DUMP_INTR`).
    private(set) var isInconsistent = false

    package init(range: Range<Int>, firstSequence: UInt32) {
        self.init(range: range, firstSequence: firstSequence, closing: range.upperBound - 1)
    }

    init(range: Range<Int>, firstSequence: UInt32, closing: Int) {
        self.range = range
        self.firstSequence = firstSequence
        self.closing = closing
    }

    /// Whether the kernel refused every message with ENOENT. That is also its answer to a family id that is no longer
    /// valid because the module was loaded anew or unloaded.
    var saysUnknownFamily: Bool {
        failures.count == range.count && failures.allSatisfy { $0.errno == .noSuchFileOrDirectory }
    }

    /// Whether the kernel refused the beginning of a transaction. It may then answer none of the messages.
    private var isRefusedAsAWhole: Bool {
        closing < range.upperBound - 1 && failures.last?.index == range.lowerBound
    }

    package mutating func take(
        _ datagram: UnsafeRawBufferPointer, port: UInt32, handler: (Int, NetlinkMessage) -> Void
    ) -> Verdict {
        var rest = datagram
        var isComplete = false
        while !rest.isEmpty {
            guard let header = NetlinkHeader(rest) else { return .malformed }
            let payload = UnsafeRawBufferPointer(rebasing: rest[NetlinkHeader.size..<header.length])
            rest = UnsafeRawBufferPointer(rebasing: rest[min(aligned(header.length), rest.count)...])

            // A reply that does not belong to this window is late, and nobody waits for it.
            let offset = Int(header.sequence &- firstSequence)
            guard offset < range.count, header.port == port else { continue }
            let index = range.lowerBound + offset

            if header.flags & NetlinkFlags.dumpInterrupted != 0 { isInconsistent = true }
            switch header.type {
            case ControlMessage.error, ControlMessage.done:
                guard let answer = Acknowledgement(header, payload) else { return .malformed }
                if let errno = answer.errno {
                    failures.append(.init(index: index, errno: errno, message: answer.message))
                }
                isComplete = isComplete || index == closing || isRefusedAsAWhole
            case ControlMessage.firstFamily...:
                guard let message = NetlinkMessage(type: header.type, payload: payload) else { return .malformed }
                handler(index, message)
            default:
                break
            }
        }
        return isComplete ? .complete : .more
    }
}
