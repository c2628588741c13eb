import CNetlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A socket for links, addresses and routes, in the network namespace of the thread that opens it. It stays in that
/// namespace whichever thread uses it.
///
/// It asks one question at a time and waits for the answer. Its calls block in the kernel while others hold the
/// kernel's lock, so it belongs on a thread of its own (``DetachedThread``).
package struct RouteSocket: ~Copyable {
    private let descriptor: CInt
    private var sequence: UInt32 = 0
    /// The kernel's answer to the last request that it refused, with its own message.
    package private(set) var refusal: Acknowledgement?

    package init() throws(Errno) {
        descriptor = socket(AF_NETLINK, CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue), CInt(NETLINK_ROUTE))
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        // The kernel answers before `send` returns, so an answer that takes longer will never come.
        var timeout = timeval(tv_sec: 5, tv_usec: 0)
        guard
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size)) == 0
        else {
            let error = Errno(rawValue: errno)
            close(descriptor)
            throw error
        }
        Acknowledgement.request(on: descriptor)
    }

    deinit { close(descriptor) }

    /// Sends one request and waits until the kernel has carried it out.
    ///
    /// - Parameters:
    ///   - header: the C struct that the message type requires.
    ///   - attributes: writes the attributes behind it.
    ///   - answer: receives each message of the answer in place.
    package mutating func perform(
        _ type: Int, flags: Int = 0, header: some BitwiseCopyable,
        _ attributes: (inout MessageWriter) -> Void = { _ in },
        answer: (NetlinkMessage) -> Void = { _ in }
    ) throws(Errno) {
        sequence &+= 1
        var writer = MessageWriter(capacity: 512)
        writer.empty(family: 0, sequence: sequence)
        writer.message(UInt16(type), header: header, flags: UInt16(flags), attributes)
        writer.acknowledgeLast()
        let request = writer.bytes
        guard send(descriptor, request.baseAddress, request.count, 0) == request.count else {
            throw Errno(rawValue: errno)
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 32768, alignment: 4)
        defer { buffer.deallocate() }
        while try !receive(into: buffer, answer) {}
    }

    /// Receives one datagram. True if it contains the end of the answer.
    private mutating func receive(
        into buffer: UnsafeMutableRawBufferPointer, _ answer: (NetlinkMessage) -> Void
    ) throws(Errno) -> Bool {
        let count: Int
        do {
            count = try receiveFromKernel(descriptor, into: buffer).get()
        } catch {
            throw error == .resourceTemporarilyUnavailable ? .timedOut : error
        }
        var rest = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        while let header = NetlinkHeader(rest) {
            let payload = UnsafeRawBufferPointer(rebasing: rest[NetlinkHeader.size..<header.length])
            rest = UnsafeRawBufferPointer(rebasing: rest[Swift.min(aligned(header.length), rest.count)...])
            // Another number belongs to the late answer to an earlier question.
            guard header.sequence == sequence else { continue }
            // A list ends with a message of its own, which also contains an errno.
            guard header.type == ControlMessage.error || header.type == ControlMessage.done else {
                guard let message = NetlinkMessage(type: header.type, payload: payload) else { throw .badMessage }
                answer(message)
                continue
            }
            guard let answer = Acknowledgement(header, payload) else { throw .badMessage }
            if let errno = answer.errno {
                refusal = answer
                throw errno
            }
            return true
        }
        return false
    }
}
