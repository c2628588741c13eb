#if canImport(Glibc)
    import Glibc
#endif

/// An IPv4 or IPv6 address.
///
/// ```swift
/// let task: IPAddress = "10.255.0.6"
/// let typed = IPAddress(userInput)          // nil where it is no address
/// ```
public struct IPAddress: Hashable, Sendable {
    package enum Storage: Hashable, Sendable {
        /// The address as a number; its most significant byte comes first in the text.
        case ipv4(UInt32)
        case ipv6(UInt128)
    }

    // The halves of the number. A UInt128 would have to lie at a multiple of sixteen bytes, and Swift 6.3 without
    // optimisation may put an argument that contains one at a multiple of eight, and reads it as if it were aligned.
    private let high: UInt64
    private let low: UInt64
    /// `AF_INET` or `AF_INET6`.
    public let family: AddressFamily

    package var storage: Storage {
        switch family {
        case .ipv4: .ipv4(UInt32(truncatingIfNeeded: low))
        case .ipv6: .ipv6(UInt128(high) << 64 | UInt128(low))
        }
    }

    /// An IPv4 address from its number: 0x7F000001 is 127.0.0.1.
    public init(ipv4 number: UInt32) {
        (high, low, family) = (0, UInt64(number), .ipv4)
    }

    /// An IPv6 address from its number: 1 is ::1.
    public init(ipv6 number: UInt128) {
        (high, low) = (UInt64(truncatingIfNeeded: number >> 64), UInt64(truncatingIfNeeded: number))
        family = .ipv6
    }

    /// The number of an IPv4 address, as ``init(ipv4:)`` takes it; nil for IPv6.
    public var ipv4: UInt32? {
        if case .ipv4(let number) = storage { number } else { nil }
    }

    /// The number of an IPv6 address, as ``init(ipv6:)`` takes it; nil for IPv4.
    public var ipv6: UInt128? {
        if case .ipv6(let number) = storage { number } else { nil }
    }
}

extension IPAddress: LosslessStringConvertible {
    /// Reads the dotted form of IPv4 or any form of IPv6 that `inet_pton(3)` takes. Nil for any other text, including
    /// names, ports, prefixes, zones and shortened IPv4 (`10.1`).
    public init?(_ description: String) {
        // inet_pton would stop at a NUL and accept the text before it.
        guard !description.utf8.contains(0) else { return nil }
        var ipv4 = in_addr()
        if inet_pton(AF_INET, description, &ipv4) == 1 {
            self.init(ipv4: UInt32(bigEndian: ipv4.s_addr))
            return
        }
        var ipv6: UInt128 = 0
        guard inet_pton(AF_INET6, description, &ipv6) == 1 else { return nil }
        self.init(ipv6: UInt128(bigEndian: ipv6))
    }

    /// The canonical text: dotted for IPv4, RFC 5952 for IPv6.
    public var description: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { text in
            switch storage {
            case .ipv4(let number):
                var wire = number.bigEndian
                inet_ntop(AF_INET, &wire, text.baseAddress, socklen_t(INET6_ADDRSTRLEN))
            case .ipv6(let number):
                var wire = number.bigEndian
                inet_ntop(AF_INET6, &wire, text.baseAddress, socklen_t(INET6_ADDRSTRLEN))
            }
            return String(cString: text.baseAddress!)
        }
    }
}

extension IPAddress: ExpressibleByStringLiteral {
    /// For addresses written in source code. A literal that is not an address is a mistake of the program and traps.
    public init(stringLiteral value: String) {
        // `Self(value)` would call this initialiser again: for a literal, Swift prefers it to the failable one.
        let parsed: Self? = .init(value)
        guard let parsed else { preconditionFailure("not an IP address: \(value)") }
        self = parsed
    }
}

extension IPAddress: Comparable {
    /// IPv4 before IPv6, then by number.
    public static func < (lhs: Self, rhs: Self) -> Bool {
        switch (lhs.storage, rhs.storage) {
        case (.ipv4(let left), .ipv4(let right)): left < right
        case (.ipv6(let left), .ipv6(let right)): left < right
        case (.ipv4, .ipv6): true
        case (.ipv6, .ipv4): false
        }
    }
}

extension IPAddress: Codable {
    /// Reads the textual form.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        let parsed: Self? = .init(text)
        guard let parsed else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(text) is not an IP address")
        }
        self = parsed
    }

    /// Writes the textual form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension IPAddress {
    /// 127.0.0.0/8 or ::1.
    public var isLoopback: Bool {
        switch storage {
        case .ipv4(let number): number >> 24 == 127
        case .ipv6(let number): number == 1
        }
    }

    /// 0.0.0.0 or ::.
    public var isUnspecified: Bool {
        switch storage {
        case .ipv4(let number): number == 0
        case .ipv6(let number): number == 0
        }
    }

    /// 224.0.0.0/4 or ff00::/8.
    public var isMulticast: Bool {
        switch storage {
        case .ipv4(let number): number >> 28 == 0xE
        case .ipv6(let number): number >> 120 == 0xFF
        }
    }

    /// 169.254.0.0/16 or fe80::/10: such an address is valid on one link only.
    public var isLinkLocal: Bool {
        switch storage {
        case .ipv4(let number): number >> 16 == 0xA9FE
        case .ipv6(let number): number >> 118 == 0x3FA
        }
    }

    /// ::ffff:0:0/96, an IPv4 address in the form of an IPv6 address, which no packet on a wire carries.
    public var isIPv4Mapped: Bool {
        switch storage {
        case .ipv4: false
        case .ipv6(let number): number >> 32 == 0xFFFF
        }
    }

    /// 240.0.0.0/4, which is reserved, and includes the broadcast address 255.255.255.255.
    public var isReserved: Bool {
        switch storage {
        case .ipv4(let number): number >> 28 == 0xF
        case .ipv6: false
        }
    }
}
