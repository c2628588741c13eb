import CNetlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A netfilter socket (`NETLINK_NETFILTER`) for one conversation: batches that are carried out as a whole or not at
/// all, and dumps.
///
/// Its calls block, so it belongs on a thread of its own (``DetachedThread``), whose deadline covers it. The kernel
/// answers before `sendmsg` returns, so there is nothing to wait for and nothing to pipeline.
package struct NetfilterSocket: ~Copyable {
    /// The message of a batch that was refused, and why. Nothing of the batch was carried out.
    package struct Refusal: Error {
        /// The index of the message in the batch; nil if the batch was refused as a whole.
        package var index: Int?
        package var errno: Errno
        /// The kernel's own message, if it sent one.
        package var message: String?
    }

    private let descriptor: CInt
    private let buffer: UnsafeMutableRawBufferPointer
    /// The sequence number of the next message. Each message has its own, so that no answer is taken for another's.
    private var sequence: UInt32 = 1

    /// Opens a socket in the network namespace of the calling thread.
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

        // A batch has to be one datagram: the kernel would take a part of it for the whole.
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

    /// The first refusal; nil if the last message with these numbers was carried out.
    private func answer(to numbers: ClosedRange<UInt32>) throws(Errno) -> Refusal? {
        var refusal: Refusal?
        var isComplete = false
        while let datagram = try receive(waiting: false) {
            Self.forEachMessage(in: datagram) { header, payload in
                // The end of the batch has the number after the last message.
                guard header.type == ControlMessage.error, let answer = Acknowledgement(header, payload),
                    (numbers.lowerBound...numbers.upperBound + 1).contains(header.sequence)
                else { return }
                isComplete = isComplete || header.sequence == numbers.upperBound
                guard let errno = answer.errno, refusal == nil else { return }
                // The first message is the beginning of the batch. It is refused if the whole batch is.
                let isOne = header.sequence > numbers.lowerBound && header.sequence <= numbers.upperBound
                refusal = Refusal(
                    index: isOne ? Int(header.sequence - numbers.lowerBound) - 1 : nil, errno: errno,
                    message: answer.message)
            }
        }
        guard isComplete || refusal != nil else { throw .ioError }
        return refusal
    }

    /// Asks a question of which only the success or failure matters.
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

    /// Asks a question that is answered by many messages. All of them are read, even if they are no longer needed: the
    /// kernel runs one dump at a time for each socket.
    ///
    /// - Parameter handler: receives the attributes of each message in place.
    /// - Throws: `EINTR` if the contents changed while they were read (`NLM_F_DUMP_INTR`), so that the answer shows the
    ///   state of no single moment.
    package mutating func dump(
        _ type: UInt16, family: UInt8, _ body: (inout MessageWriter) -> Void = { _ in },
        handler: (Attributes) -> Void
    ) throws(Errno) {
        try converse(type, family: family, flags: NetlinkFlags.dump, body, handler)
    }

    /// Asks a question that is answered by one message, or refused.
    ///
    /// - Parameter handler: receives the attributes of the answer in place.
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

    /// Receives one datagram. Nil if there is none and the call does not wait.
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
