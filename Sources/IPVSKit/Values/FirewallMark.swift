/// A firewall mark: what a rule puts on a packet (`skb->mark`) and IPVS finds a service by. Never 0, which
/// means "no mark"; the kernel would take 0 for the service TCP 0.0.0.0:0.
public struct FirewallMark: RawRepresentable, Hashable, Sendable, Comparable, Codable {
    /// The mark, all 32 bits of it: IPVS compares the whole.
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
