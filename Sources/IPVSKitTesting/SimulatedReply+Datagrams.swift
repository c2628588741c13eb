import CNetlink
import SystemPackage

extension [SimulatedReply] {
    /// The largest datagram of a dump, in bytes.
    private static var datagramSize: Int { 16 * 1024 }

    /// The replies as a socket delivers them, several in one datagram.
    func datagrams(answering request: SimulatedRequest) -> [[UInt8]] {
        var datagrams: [[UInt8]] = []
        var last: [UInt8] = []
        func close() {
            if !last.isEmpty { datagrams.append(last) }
            last = []
        }
        for reply in self {
            if case .datagram(let bytes) = reply.content {
                close()
                datagrams.append(bytes)
                continue
            }
            guard let message = reply.message(answering: request) else { continue }
            if last.count + message.count > Self.datagramSize { close() }
            last += message
        }
        close()
        return datagrams
    }
}

extension SimulatedReply {
    /// Nil if the reply sends nothing.
    fileprivate func message(answering request: SimulatedRequest) -> [UInt8]? {
        let multiple = request.isDump ? UInt16(NLM_F_MULTI) : 0
        switch content {
        case .message(let command, let attributes):
            return Self.message(
                request, type: request.header.type, flags: multiple, payload: [command.rawValue, 1, 0, 0] + attributes)
        case .acknowledgement:
            return request.wantsAcknowledgement ? Self.report(request, errno: 0) : nil
        case .error(let errno):
            return Self.report(request, errno: errno.rawValue)
        case .done:
            return Self.message(request, type: UInt16(NLMSG_DONE), flags: multiple, payload: Bytes.of(Int32(0)))
        case .nothing, .datagram:
            return nil
        }
    }

    /// `struct nlmsgerr` with the request's header, without the rest of the request.
    private static func report(_ request: SimulatedRequest, errno: CInt) -> [UInt8] {
        message(
            request, type: UInt16(NLMSG_ERROR), flags: UInt16(NLM_F_CAPPED),
            payload: Bytes.of(-errno) + request.header.bytes)
    }

    private static func message(
        _ request: SimulatedRequest, type: UInt16, flags: UInt16, payload: [UInt8]
    ) -> [UInt8] {
        var message = Bytes.of(UInt32(16 + payload.count)) + Bytes.of(type) + Bytes.of(flags)
        message += request.header.address
        message += payload
        while message.count % 4 != 0 { message.append(0) }
        return message
    }
}
