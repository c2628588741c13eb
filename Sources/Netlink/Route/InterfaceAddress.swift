import CNetlink

#if canImport(Glibc)
    import Glibc
#endif

/// An address of an interface (`RTM_NEWADDR`).
package struct InterfaceAddress: Hashable, Sendable {
    /// The interface's index.
    package var interface: Int32
    /// The four or sixteen bytes of the address, most significant first.
    package var address: [UInt8]
    /// The number of leading bits that name the interface's network.
    package var prefixLength: Int
    /// How far the address is valid: `RT_SCOPE_UNIVERSE` and similar values.
    package var scope: UInt8
    /// Flags such as `IFA_F_PERMANENT` and `IFA_F_TENTATIVE`.
    package var flags: UInt32

    /// Whether the kernel never chooses the address as a source.
    package var isDeprecated: Bool { flags & UInt32(IFA_F_DEPRECATED) != 0 }
    /// Whether the address is of IPv4 and joined another one in its network, with which the kernel removes it.
    package var isSecondary: Bool { address.count == 4 && flags & UInt32(IFA_F_SECONDARY) != 0 }
}

extension InterfaceAddress {
    /// Nil if the message is truncated.
    init?(_ message: NetlinkMessage) {
        guard let (header, attributes) = message.header(ifaddrmsg.self) else { return nil }
        // On a point-to-point link, IFA_ADDRESS is the address of the other end. IPv6 has IFA_LOCAL only there.
        guard let own = attributes.first(Int(IFA_LOCAL)) ?? attributes.first(Int(IFA_ADDRESS)) else { return nil }
        interface = Int32(bitPattern: header.ifa_index)
        address = Array(own.bytes)
        prefixLength = Int(header.ifa_prefixlen)
        scope = header.ifa_scope
        // The header has room for the first eight flags only.
        flags = attributes.first(Int(IFA_FLAGS))?.uint32 ?? UInt32(header.ifa_flags)
    }
}
