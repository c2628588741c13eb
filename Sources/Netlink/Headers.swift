import CNetlink

/// `struct nlmsghdr`, read from a buffer that need not be aligned.
@usableFromInline struct NetlinkHeader {
    @inlinable static var size: Int { 16 }

    var length: Int
    var type: UInt16
    var flags: UInt16
    var sequence: UInt32
    var port: UInt32

    /// Nil if there are fewer bytes than the header has, or than it states.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.size else { return nil }
        length = Int(bytes.loadUnaligned(as: UInt32.self))
        guard length >= Self.size, length <= bytes.count else { return nil }
        type = bytes.loadUnaligned(fromByteOffset: 4, as: UInt16.self)
        flags = bytes.loadUnaligned(fromByteOffset: 6, as: UInt16.self)
        sequence = bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
        port = bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self)
    }
}

extension NetlinkHeader {
    /// Calls the body with each message of a datagram, and with what follows the message's header.
    static func forEachMessage(
        in datagram: UnsafeRawBufferPointer, _ body: (NetlinkHeader, UnsafeRawBufferPointer) -> Void
    ) {
        var rest = datagram
        while let header = NetlinkHeader(rest) {
            body(header, UnsafeRawBufferPointer(rebasing: rest[NetlinkHeader.size..<header.length]))
            rest = UnsafeRawBufferPointer(rebasing: rest[min(aligned(header.length), rest.count)...])
        }
    }
}

@usableFromInline enum GenericNetlinkHeader {
    @inlinable static var size: Int { 4 }
}

package enum NetlinkFlags {
    package static let request = UInt16(NLM_F_REQUEST)
    package static let acknowledge = UInt16(NLM_F_ACK)
    package static let dump = UInt16(NLM_F_DUMP)
    package static let create = UInt16(NLM_F_CREATE)
    package static let exclusive = UInt16(NLM_F_EXCL)
    package static let append = UInt16(NLM_F_APPEND)
    package static let replace = UInt16(NLM_F_REPLACE)
    /// The list changed while it was dumped, so that the answer shows the state of no single moment.
    static let dumpInterrupted = UInt16(NLM_F_DUMP_INTR)
}

/// The message types below `NLMSG_MIN_TYPE`, which mean the same in every family.
enum ControlMessage {
    static let error = UInt16(NLMSG_ERROR)
    static let done = UInt16(NLMSG_DONE)
    static let firstFamily = UInt16(NLMSG_MIN_TYPE)
}
