extension VirtualService.Persistence {
    /// Which bits of a client's address count: clients that are equal in these count as one.
    ///
    /// `IPVS_SVC_ATTR_NETMASK`, which is a mask for IPv4 and the length of a prefix for IPv6.
    public struct Netmask: Hashable, Sendable {
        /// The length of a prefix, or a mask with gaps.
        private let number: UInt32
        private let hasGaps: Bool

        private init(_ number: UInt32, hasGaps: Bool) {
            self.number = number
            self.hasGaps = hasGaps
        }

        /// The first bits: 0 to 32 for IPv4, 1 to 128 for IPv6. ``IPVS/perform(_:)`` refuses any other number.
        public static func prefix(_ length: UInt8) -> Self { Self(UInt32(length), hasGaps: false) }

        /// The bits that are set in a mask for IPv4, gaps or not: 0xFFFFFF00 is the same as a prefix of 24.
        public static func mask(_ mask: UInt32) -> Self {
            let length = (~mask).leadingZeroBitCount
            return mask << length == 0 ? .prefix(UInt8(length)) : Self(mask, hasGaps: true)
        }

        /// How many first bits count; nil for a mask with gaps.
        public var prefixLength: UInt8? { hasGaps ? nil : UInt8(number) }

        /// The mask for IPv4, as a number; nil for a prefix that is longer than 32.
        public var mask: UInt32? {
            if hasGaps { return number }
            return number <= 32 ? UInt32.max << (32 - number) : nil
        }
    }
}

extension VirtualService.Persistence.Netmask: CustomStringConvertible {
    /// The length of the prefix, or the mask in the dotted form.
    public var description: String { hasGaps ? "\(IPAddress(ipv4: number))" : "\(number)" }
}

extension VirtualService.Persistence.Netmask {
    /// The kernel's number for the whole address, each of which is a client by itself.
    package static func whole(_ family: AddressFamily) -> UInt32 { family == .ipv4 ? .max : 128 }

    /// From the kernel's number: a mask in the host's byte order for IPv4, the length of a prefix for IPv6. Nil for the
    /// whole address.
    package init?(number: UInt32, _ family: AddressFamily) {
        guard number != Self.whole(family) else { return nil }
        switch family {
        case .ipv4: self = .mask(number)
        case .ipv6: self = .prefix(UInt8(clamping: number))
        }
    }

    /// The kernel's number; nil where the family has no such netmask.
    package func number(_ family: AddressFamily) -> UInt32? {
        switch family {
        case .ipv4: mask
        case .ipv6: prefixLength.flatMap { (1...128).contains($0) ? UInt32($0) : nil }
        }
    }
}
