import CNetlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The kernel's answer to a message: success, or an errno. Since an errno alone rarely says enough, a message of the
/// kernel may explain it (`NLMSGERR_ATTR_MSG`).
package struct Acknowledgement: Equatable, Sendable {
    /// The errno; nil if the message was carried out.
    package let errno: Errno?
    /// The kernel's own message, if it sent one.
    package let message: String?

    /// Asks the kernel for such messages, and for answers that do not quote the request. Kernels before 4.12 know
    /// neither option.
    static func request(on descriptor: CInt) {
        for option in [NETLINK_CAP_ACK, NETLINK_EXT_ACK] {
            var on: CInt = 1
            _ = setsockopt(
                descriptor, CInt(CNetlink_SOL_NETLINK), CInt(option), &on, socklen_t(MemoryLayout<CInt>.size))
        }
    }

    /// Parses an answer. Nil if it is too short for an errno.
    ///
    /// - Parameter payload: the bytes behind the header of a message of type `NLMSG_ERROR`, or of type `NLMSG_DONE`,
    ///   which quotes no request.
    init?(_ header: NetlinkHeader, _ payload: UnsafeRawBufferPointer) {
        // The end of a list may be empty if it was successful.
        if payload.isEmpty, header.type == ControlMessage.done {
            errno = nil
            message = nil
            return
        }
        guard payload.count >= 4 else { return nil }
        let code = payload.loadUnaligned(as: Int32.self)
        // An errno is sent as a negative number, and `Int32.min` has no positive counterpart.
        errno = code < 0 && code > Int32.min ? Errno(rawValue: -code) : nil
        var start = 4
        if header.type == ControlMessage.error {
            // If the message does not quote the request, nothing follows the errno either.
            guard payload.count >= start + NetlinkHeader.size else {
                message = nil
                return
            }
            // The message quotes the request's header, or the whole request unless the kernel cut it.
            let quoted = Int(payload.loadUnaligned(fromByteOffset: start, as: UInt32.self))
            let isCut = code == 0 || header.flags & UInt16(NLM_F_CAPPED) != 0
            start += isCut ? NetlinkHeader.size : Swift.max(aligned(quoted), NetlinkHeader.size)
        }
        guard header.flags & UInt16(NLM_F_ACK_TLVS) != 0, start <= payload.count else {
            message = nil
            return
        }
        let attributes = Attributes(UnsafeRawBufferPointer(rebasing: payload[start...]))
        message = attributes.first(Int(NLMSGERR_ATTR_MSG.rawValue))?.string
    }
}
