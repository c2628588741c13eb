/// A firewall mark (`skb->mark`): a rule sets it on a packet, and IPVS finds a service by it. A mark is never 0, which
/// means "no mark"; the kernel would take a mark of 0 for the service TCP 0.0.0.0:0.
public struct FirewallMark: RawRepresentable, Hashable, Sendable, Comparable, Codable {
    /// The mark. IPVS compares all 32 bits.
    public let rawValue: UInt32

    /// Nil for 0.
    public init?(rawValue: UInt32) {
        guard rawValue != 0 else { return nil }
        self.rawValue = rawValue
    }

    /// By number.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

extension FirewallMark: ExpressibleByIntegerLiteral, CustomStringConvertible {
    /// For marks written in source; the literal 0 traps.
    public init(integerLiteral value: UInt32) {
        precondition(value != 0, "a firewall mark is not 0")
        rawValue = value
    }

    /// Hexadecimal, as rules show it: `0x102`.
    public var description: String { "0x" + String(rawValue, radix: 16) }
}
