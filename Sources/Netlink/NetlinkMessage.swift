/// One data message of an answer, read in place: what stands behind its netlink header.
///
/// Valid only for the duration of the receive handler, as the buffer is that it points into.
package struct NetlinkMessage {
    /// What the family calls this kind of message, `RTM_NEWLINK` for instance; for generic netlink the family's id.
    package let type: UInt16
    /// The family's own header, and the attributes behind it. Four bytes or more.
    package let payload: UnsafeRawBufferPointer

    /// Nil where the payload is too short for the smallest header that a family has, which is four bytes.
    init?(type: UInt16, payload: UnsafeRawBufferPointer) {
        guard payload.count >= GenericNetlinkHeader.size else { return nil }
        self.type = type
        self.payload = payload
    }
}

extension NetlinkMessage {
    /// The command of a generic netlink message (`struct genlmsghdr`).
    package var command: UInt8 { payload[0] }

    /// The attributes of a generic netlink or a netfilter message, whose headers have four bytes alike.
    package var attributes: Attributes {
        Attributes(UnsafeRawBufferPointer(rebasing: payload[GenericNetlinkHeader.size...]))
    }

    /// The C struct that a message of another family begins with, and the attributes behind it. Nil where the message is
    /// too short for the struct.
    package func header<Header: BitwiseCopyable>(_ type: Header.Type) -> (header: Header, attributes: Attributes)? {
        let size = MemoryLayout<Header>.size
        guard payload.count >= size else { return nil }
        let rest = UnsafeRawBufferPointer(rebasing: payload[Swift.min(aligned(size), payload.count)...])
        return (payload.loadUnaligned(as: Header.self), Attributes(rest))
    }
}
