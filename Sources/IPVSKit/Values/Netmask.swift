extension VirtualService.Persistence {
    /// The bits of a client's address that persistence compares: clients that are equal in these bits count as one
    /// client.
    ///
    /// `IPVS_SVC_ATTR_NETMASK`, which is a mask for IPv4 and the length of a prefix for IPv6.
    public struct Netmask: Hashable, Sendable {
        /// The length of a prefix, or a mask with gaps.
        private let number: UInt32
        private let hasGaps: Bool
        /// Whether the netmask was given as a mask, which IPv6 does not have. It does not count in comparisons.
        private let isMask: Bool

        private init(_ number: UInt32, hasGaps: Bool, isMask: Bool) {
            self.number = number
            self.hasGaps = hasGaps
            self.isMask = isMask
        }

        /// A number of leading bits: 0 to 32 for IPv4, 1 to 128 for IPv6. ``IPVS/perform(_:)`` refuses any other
        /// number.
        public static func prefix(_ length: UInt8) -> Self { Self(UInt32(length), hasGaps: false, isMask: false) }

        /// The bits that are set in an IPv4 mask, which may have gaps: 0xFFFFFF00 equals a prefix of 24.
        /// ``IPVS/perform(_:)`` refuses a mask for an IPv6 service.
        public static func mask(_ mask: UInt32) -> Self {
            let length = (~mask).leadingZeroBitCount
            let isPrefix = mask << length == 0
            return Self(isPrefix ? UInt32(length) : mask, hasGaps: !isPrefix, isMask: true)
        }

        /// Whether both compare the same bits, in whichever form they were given.
        public static func == (lhs: Self, rhs: Self) -> Bool {
            lhs.number == rhs.number && lhs.hasGaps == rhs.hasGaps
        }

        /// Hashes the bits that are compared.
        public func hash(into hasher: inout Hasher) {
            hasher.combine(number)
            hasher.combine(hasGaps)
        }

        /// The number of leading bits; nil for a mask with gaps.
        public var prefixLength: UInt8? { hasGaps ? nil : UInt8(number) }

        /// The IPv4 mask as a number; nil for a prefix that is longer than 32.
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
    /// The kernel's number for comparing the whole address, so that each address is a client of its own.
    package static func whole(_ family: AddressFamily) -> UInt32 { family == .ipv4 ? .max : 128 }

    /// Reads the kernel's number: a mask in host byte order for IPv4, the length of a prefix for IPv6. Nil for the
    /// whole address.
    package init?(number: UInt32, _ family: AddressFamily) {
        guard number != Self.whole(family) else { return nil }
        switch family {
        case .ipv4: self = .mask(number)
        case .ipv6: self = .prefix(UInt8(clamping: number))
        }
    }

    /// The kernel's number; nil if the family has no such netmask.
    package func number(_ family: AddressFamily) -> UInt32? {
        switch family {
        case .ipv4: mask
        case .ipv6: isMask ? nil : prefixLength.flatMap { (1...128).contains($0) ? UInt32($0) : nil }
        }
    }
}
