import CNetlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// What the kernel says to a message: done, or why not, by its errno and, since the errno alone rarely says enough, in
/// words of its own where it has some (`NLMSGERR_ATTR_MSG`).
package struct Acknowledgement: Equatable, Sendable {
    /// Nil where the message was carried out.
    package let errno: Errno?
    /// The kernel's words.
    package let message: String?

    /// Asks for the words, and for answers without the request quoted back. Kernels before 4.12 know neither.
    static func request(on descriptor: CInt) {
        for option in [NETLINK_CAP_ACK, NETLINK_EXT_ACK] {
            var on: CInt = 1
            _ = setsockopt(
                descriptor, CInt(CNetlink_SOL_NETLINK), CInt(option), &on, socklen_t(MemoryLayout<CInt>.size))
        }
    }

    /// Nil where the message is cut short.
    ///
    /// - Parameter payload: what stands behind the header of a message of type `NLMSG_ERROR`, or of type `NLMSG_DONE`,
    ///   which quotes nothing.
    init?(_ header: NetlinkHeader, _ payload: UnsafeRawBufferPointer) {
        // The end of a list that went well may say nothing.
        if payload.isEmpty, header.type == ControlMessage.done {
            errno = nil
            message = nil
            return
        }
        guard payload.count >= 4 else { return nil }
        let code = payload.loadUnaligned(as: Int32.self)
        // No errno is positive, or has no negative.
        errno = code < 0 && code > Int32.min ? Errno(rawValue: -code) : nil
        var start = 4
        if header.type == ControlMessage.error {
            guard payload.count >= start + NetlinkHeader.size else { return nil }
            // The request's header, and all of it where the kernel did not cut it.
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
