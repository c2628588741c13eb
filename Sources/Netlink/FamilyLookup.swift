import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Asks the controller of generic netlink (`nlctrl`) for the id of a family, which makes the kernel load the family's
/// module.
///
/// libnl's `genl_ctrl_resolve` is not used: after any failure, it says that the family does not exist.
enum FamilyLookup {
    /// The sequence number of the request. Exchanges count from 1, so none has this number.
    private static let sequence = UInt32.max

    /// - Parameters:
    ///   - send: gives a message to the kernel. Returns nil, or the reason why the message was not accepted.
    ///   - receive: returns one datagram. The kernel answers before `send` returns, so there is nothing to wait for.
    static func id(
        of name: String, send: (UnsafeRawBufferPointer) -> Errno?,
        receive: (UnsafeMutableRawBufferPointer) -> Result<Int, Errno>
    ) -> Result<UInt16, NetlinkError> {
        var writer = MessageWriter(capacity: 64)
        writer.empty(family: UInt16(GENL_ID_CTRL), sequence: sequence)
        writer.message(command: UInt8(CTRL_CMD_GETFAMILY), version: 1) {
            $0.put(Int(CTRL_ATTR_FAMILY_NAME), string: name)
        }
        writer.acknowledgeLast()
        if let error = send(writer.bytes) { return .failure(.socket(error)) }

        // The buffer is large because the answer lists all commands of the family.
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 * 1024, alignment: 8)
        defer { buffer.deallocate() }
        var id: UInt16?
        while true {
            let count: Int
            switch receive(buffer) {
            case .success(let received): count = received
            case .failure(.resourceTemporarilyUnavailable): return .failure(.socket(.timedOut))
            case .failure(let error): return .failure(.socket(error))
            }
            var rest = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])
            while let header = NetlinkHeader(rest) {
                let payload = UnsafeRawBufferPointer(rebasing: rest[NetlinkHeader.size..<header.length])
                rest = UnsafeRawBufferPointer(rebasing: rest[Swift.min(aligned(header.length), rest.count)...])
                guard header.sequence == sequence else { continue }
                guard header.type == ControlMessage.error else {
                    id =
                        id
                        ?? NetlinkMessage(type: header.type, payload: payload)?.attributes.first(
                            Int(CTRL_ATTR_FAMILY_ID))?.uint16
                    continue
                }
                guard let answer = Acknowledgement(header, payload) else { return .failure(.socket(.badMessage)) }
                if answer.errno == .noSuchFileOrDirectory { return .failure(.familyNotFound(name)) }
                if let errno = answer.errno { return .failure(.refused(errno, message: answer.message)) }
                guard let id, id >= ControlMessage.firstFamily else { return .failure(.socket(.badMessage)) }
                return .success(id)
            }
        }
    }
}
