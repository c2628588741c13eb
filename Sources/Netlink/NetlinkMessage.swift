/// One data message of an answer, without its netlink header, read in place.
///
/// The value is valid only as long as the buffer that contains it, which is for the duration of the receive handler.
package struct NetlinkMessage {
    /// The type that the family gives to such messages, for instance `RTM_NEWLINK`; for generic netlink, the family's
    /// id.
    package let type: UInt16
    /// The family's own header and the attributes behind it: at least four bytes.
    package let payload: UnsafeRawBufferPointer

    /// Nil if the payload is shorter than the smallest header of a family, which has four bytes.
    init?(type: UInt16, payload: UnsafeRawBufferPointer) {
        guard payload.count >= GenericNetlinkHeader.size else { return nil }
        self.type = type
        self.payload = payload
    }
}

extension NetlinkMessage {
    /// The message with its netlink header, for libraries that read whole messages.
    package var whole: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: payload.baseAddress! - NetlinkHeader.size, count: payload.count + NetlinkHeader.size)
    }

    /// The command of a generic netlink message (`struct genlmsghdr`).
    package var command: UInt8 { payload[0] }

    /// The attributes of a generic netlink or netfilter message. Both families have headers of four bytes.
    package var attributes: Attributes {
        Attributes(UnsafeRawBufferPointer(rebasing: payload[GenericNetlinkHeader.size...]))
    }

    /// The C struct at the beginning of a message of another family, and the attributes behind it. Nil if the message
    /// is shorter than the struct.
    package func header<Header: BitwiseCopyable>(_ type: Header.Type) -> (header: Header, attributes: Attributes)? {
        let size = MemoryLayout<Header>.size
        guard payload.count >= size else { return nil }
        let rest = UnsafeRawBufferPointer(rebasing: payload[Swift.min(aligned(size), payload.count)...])
        return (payload.loadUnaligned(as: Header.self), Attributes(rest))
    }
}
