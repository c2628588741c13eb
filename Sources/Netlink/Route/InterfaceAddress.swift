import CNetlink

#if canImport(Glibc)
    import Glibc
#endif

/// An address of an interface (`RTM_NEWADDR`).
package struct InterfaceAddress: Hashable, Sendable {
    /// The interface's index.
    package var interface: Int32
    /// Its four or sixteen bytes, most significant first.
    package var address: [UInt8]
    /// How many bits name the network that the interface leads to.
    package var prefixLength: Int
    /// `RT_SCOPE_UNIVERSE` and its like: how far the address is known.
    package var scope: UInt8
    /// `IFA_F_PERMANENT`, `IFA_F_TENTATIVE` and their like.
    package var flags: UInt32
}

extension InterfaceAddress {
    /// Nil where the message is cut short.
    init?(_ message: NetlinkMessage) {
        guard let (header, attributes) = message.header(ifaddrmsg.self) else { return nil }
        // On a point-to-point link IFA_ADDRESS is the other end's. IPv6 has IFA_LOCAL only there.
        guard let own = attributes.first(Int(IFA_LOCAL)) ?? attributes.first(Int(IFA_ADDRESS)) else { return nil }
        interface = Int32(bitPattern: header.ifa_index)
        address = Array(own.bytes)
        prefixLength = Int(header.ifa_prefixlen)
        scope = header.ifa_scope
        // The header has room for the first eight of them alone.
        flags = attributes.first(Int(IFA_FLAGS))?.uint32 ?? UInt32(header.ifa_flags)
    }
}
