import SystemPackage

/// Sorts what comes back to the messages of one window. Pure: bytes in, outcomes out.
package struct ReplyWindow {
    package enum Verdict {
        case more
        case complete
        case malformed
    }

    /// The messages, counted from the beginning of their exchange.
    let range: Range<Int>
    /// The sequence number of the first of them.
    let firstSequence: UInt32
    package private(set) var failures: [BatchOutcome.Failure] = []

    package init(range: Range<Int>, firstSequence: UInt32) {
        self.range = range
        self.firstSequence = firstSequence
    }

    /// Every message unknown: that is also what the kernel says to a family id that is no longer valid, because the
    /// module was loaded anew or unloaded.
    var saysUnknownFamily: Bool {
        failures.count == range.count && failures.allSatisfy { $0.errno == .noSuchFileOrDirectory }
    }

    package mutating func take(
        _ datagram: UnsafeRawBufferPointer, port: UInt32, handler: (Int, GenericMessage) -> Void
    ) -> Verdict {
        var rest = datagram
        var isComplete = false
        while !rest.isEmpty {
            guard let header = NetlinkHeader(rest) else { return .malformed }
            let payload = UnsafeRawBufferPointer(rebasing: rest[NetlinkHeader.size..<header.length])
            rest = UnsafeRawBufferPointer(rebasing: rest[min(aligned(header.length), rest.count)...])

            // What does not answer this window belongs to nobody any more.
            let offset = Int(header.sequence &- firstSequence)
            guard offset < range.count, header.port == port else { continue }
            let index = range.lowerBound + offset

            switch header.type {
            case ControlMessage.error, ControlMessage.done:
                // A DONE without a payload is a dump that went well; an error without one is not netlink.
                let code: Int32
                if payload.count >= 4 {
                    code = payload.loadUnaligned(as: Int32.self)
                } else if header.type == ControlMessage.done {
                    code = 0
                } else {
                    return .malformed
                }
                if code < 0, code > Int32.min { failures.append(.init(index: index, errno: Errno(rawValue: -code))) }
                isComplete = isComplete || index == range.upperBound - 1
            case ControlMessage.firstFamily...:
                guard let message = GenericMessage(payload: payload) else { return .malformed }
                handler(index, message)
            default:
                break
            }
        }
        return isComplete ? .complete : .more
    }
}
