/// A transport protocol, by its number in the IP header. A number that this library does not know is kept.
public struct TransportProtocol: RawRepresentable, Hashable, Sendable {
    /// `IPPROTO_TCP` and its like.
    public let rawValue: UInt16

    /// A protocol by number. IPVS balances TCP, UDP and SCTP. The kernel accepts services for other protocols, but
    /// never matches a packet to them; ``IPVS/perform(_:)`` refuses to create such a service.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// `IPPROTO_TCP`, 6.
    public static let tcp = Self(rawValue: 6)
    /// `IPPROTO_UDP`, 17.
    public static let udp = Self(rawValue: 17)
    /// `IPPROTO_SCTP`, 132.
    public static let sctp = Self(rawValue: 132)

    /// The protocols that IPVS balances.
    package static let balanced: Set<Self> = [.tcp, .udp, .sctp]
}

extension TransportProtocol: CustomStringConvertible, Comparable {
    private static let names: [(Self, String)] = [(.tcp, "tcp"), (.udp, "udp"), (.sctp, "sctp")]

    /// `tcp`, `udp` or `sctp`, in any case, or the number in decimal digits; nil for anything else.
    public init?(_ description: String) {
        if let known = Self.names.first(where: { $0.1 == description.lowercased() }) {
            self = known.0
        } else {
            guard let number = RawValue(decimal: description.utf8) else { return nil }
            self.init(rawValue: number)
        }
    }

    /// The name in lower case, or the number.
    public var description: String {
        Self.names.first { $0.0 == self }?.1 ?? String(rawValue)
    }

    /// By number.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}
