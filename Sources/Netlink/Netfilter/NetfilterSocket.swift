import CNetlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A netfilter socket (`NETLINK_NETFILTER`) for one conversation: batches that are carried out whole or not at all, and
/// dumps.
///
/// Blocks, so it belongs on a thread of its own (``DetachedThread``), whose deadline covers it; the kernel answers
/// before `sendmsg` returns, so there is nothing to wait for and nothing to pipeline.
package struct NetfilterSocket: ~Copyable {
    /// Which message of a batch was refused, and why. Nothing of the batch was done.
    package struct Refusal: Error {
        /// The place of the message in the batch; nil where it was the batch as a whole.
        package var index: Int?
        package var errno: Errno
        /// The kernel's own words, where it has some.
        package var message: String?
    }

    private let descriptor: CInt
    private let buffer: UnsafeMutableRawBufferPointer
    /// The number of the next message. Each has its own, so that no answer is taken for another's.
    private var sequence: UInt32 = 1

    /// Opens in the network namespace of the calling thread.
    package init() throws(Errno) {
        descriptor = socket(AF_NETLINK, CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue), NETLINK_NETFILTER)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        buffer = .allocate(byteCount: 64 * 1024, alignment: 8)
        setBuffer(SO_RCVBUFFORCE, to: 1 << 20)
        Acknowledgement.request(on: descriptor)
    }

    deinit {
        buffer.deallocate()
        close(descriptor)
    }

    /// Carries out the messages as one transaction of a subsystem (`NFNL_MSG_BATCH_BEGIN` … `NFNL_MSG_BATCH_END`).
    ///
    /// - Parameter body: writes the messages.
    package mutating func commit(subsystem: UInt16, _ body: (inout MessageWriter) -> Void) throws(Refusal) {
        var batch = MessageWriter()
        let begin = sequence
        batch.empty(family: 0, sequence: begin)
        batch.netfilterMessage(0x10, family: 0, resource: subsystem)
        body(&batch)
        let last = batch.sequence - 1
        guard last > begin else { return }
        batch.acknowledgeLast()
        batch.netfilterMessage(0x11, family: 0, resource: subsystem)
        sequence = batch.sequence

        // A batch is one datagram: the kernel would take a part of it for the whole.
        setBuffer(SO_SNDBUFFORCE, to: CInt(clamping: batch.bytes.count * 2))
        let refusal: Refusal?
        do throws(Errno) {
            try send(batch)
            refusal = try answer(to: begin...last)
        } catch {
            throw Refusal(index: nil, errno: error)
        }
        if let refusal { throw refusal }
    }

    /// The first refusal, or nil where the last of the messages of these numbers was carried out.
    private func answer(to numbers: ClosedRange<UInt32>) throws(Errno) -> Refusal? {
        var refusal: Refusal?
        var isComplete = false
        while let datagram = try receive(waiting: false) {
            Self.forEachMessage(in: datagram) { header, payload in
                // The end of the batch has the number behind the last.
                guard header.type == ControlMessage.error, let answer = Acknowledgement(header, payload),
                    (numbers.lowerBound...numbers.upperBound + 1).contains(header.sequence)
                else { return }
                isComplete = isComplete || header.sequence == numbers.upperBound
                guard let errno = answer.errno, refusal == nil else { return }
                // The first message is the batch's beginning, which is refused where the whole is.
                let isOne = header.sequence > numbers.lowerBound && header.sequence <= numbers.upperBound
                refusal = Refusal(
                    index: isOne ? Int(header.sequence - numbers.lowerBound) - 1 : nil, errno: errno,
                    message: answer.message)
            }
        }
        guard isComplete || refusal != nil else { throw .ioError }
        return refusal
    }

    /// Asks one question whose answer is of no interest but for whether there is one.
    package mutating func ask(_ type: UInt16, family: UInt8) throws(Errno) {
        let number = sequence
        sequence += 1
        var request = MessageWriter(capacity: 64)
        request.empty(family: 0, sequence: number)
        request.netfilterMessage(type, family: family)
        request.acknowledgeLast()
        try send(request)
        var answer: Acknowledgement?
        while answer == nil, let datagram = try receive(waiting: false) {
            Self.forEachMessage(in: datagram) { header, payload in
                guard header.sequence == number, header.type == ControlMessage.error else { return }
                answer = Acknowledgement(header, payload)
            }
        }
        guard let answer else { throw .ioError }
        if let errno = answer.errno { throw errno }
    }

    /// Asks one question that is answered by many messages. All of them are taken, also where they are of no use any
    /// more: the kernel has one dump at a time for a socket.
    ///
    /// - Parameter handler: is given the attributes of each, in place.
    /// - Throws: `EINTR` where what was read changed meanwhile (`NLM_F_DUMP_INTR`): then the answer is no picture of any
    ///   moment.
    package mutating func dump(
        _ type: UInt16, family: UInt8, _ body: (inout MessageWriter) -> Void = { _ in },
        handler: (Attributes) -> Void
    ) throws(Errno) {
        try converse(type, family: family, flags: NetlinkFlags.dump, body, handler)
    }

    /// Asks one question that is answered by one message, or refused.
    ///
    /// - Parameter handler: is given the attributes of the answer, in place.
    package mutating func ask(
        _ type: UInt16, family: UInt8, _ body: (inout MessageWriter) -> Void = { _ in },
        handler: (Attributes) -> Void
    ) throws(Errno) {
        try converse(type, family: family, flags: NetlinkFlags.acknowledge, body, handler)
    }

    private mutating func converse(
        _ type: UInt16, family: UInt8, flags: UInt16, _ body: (inout MessageWriter) -> Void,
        _ handler: (Attributes) -> Void
    ) throws(Errno) {
        let number = sequence
        sequence += 1
        var request = MessageWriter()
        request.empty(family: 0, sequence: number)
        request.netfilterMessage(type, family: family, flags: flags, body)
        try send(request)
        var failure: Errno?
        var isComplete = false
        while !isComplete, let datagram = try receive(waiting: true) {
            Self.forEachMessage(in: datagram) { header, payload in
                guard header.sequence == number else { return }
                if header.flags & UInt16(NLM_F_DUMP_INTR) != 0 { failure = .interrupted }
                switch header.type {
                case ControlMessage.done, ControlMessage.error:
                    isComplete = true
                    let code = payload.count >= 4 ? payload.loadUnaligned(as: Int32.self) : 0
                    if code < 0 { failure = Errno(rawValue: -code) }
                default:
                    if let message = NetlinkMessage(type: header.type, payload: payload) { handler(message.attributes) }
                }
            }
        }
        if let failure { throw failure }
        guard isComplete else { throw .ioError }
    }

    private func send(_ messages: borrowing MessageWriter) throws(Errno) {
        let bytes = messages.bytes
        while Glibc.send(descriptor, bytes.baseAddress, bytes.count, 0) < 0 {
            if errno != EINTR { throw Errno(rawValue: errno) }
        }
    }

    /// Nil where there is nothing and nobody waits.
    private func receive(waiting: Bool) throws(Errno) -> UnsafeRawBufferPointer? {
        do {
            let flags = waiting ? 0 : CInt(MSG_DONTWAIT)
            let count = try receiveFromKernel(descriptor, into: buffer, flags: flags).get()
            return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])
        } catch {
            guard error == .resourceTemporarilyUnavailable else { throw error }
            return nil
        }
    }

    private static func forEachMessage(
        in datagram: UnsafeRawBufferPointer, _ body: (NetlinkHeader, UnsafeRawBufferPointer) -> Void
    ) {
        var rest = datagram
        while let header = NetlinkHeader(rest) {
            body(header, UnsafeRawBufferPointer(rebasing: rest[NetlinkHeader.size..<header.length]))
            rest = UnsafeRawBufferPointer(rebasing: rest[min(aligned(header.length), rest.count)...])
        }
    }

    private func setBuffer(_ option: CInt, to size: CInt) {
        var size = size
        _ = setsockopt(descriptor, SOL_SOCKET, option, &size, socklen_t(MemoryLayout<CInt>.size))
    }
}
