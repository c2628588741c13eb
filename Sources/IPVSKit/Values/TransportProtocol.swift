/// A transport protocol, by the number it has in the IP header. Open: a number without a name here is kept.
public struct TransportProtocol: RawRepresentable, Hashable, Sendable {
    /// `IPPROTO_TCP` and its like.
    public let rawValue: UInt16

    /// A protocol by number. IPVS balances TCP, UDP and SCTP; it takes other numbers and never matches them.
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// `IPPROTO_TCP`, 6.
    public static let tcp = Self(rawValue: 6)
    /// `IPPROTO_UDP`, 17.
    public static let udp = Self(rawValue: 17)
    /// `IPPROTO_SCTP`, 132.
    public static let sctp = Self(rawValue: 132)
}

extension TransportProtocol: LosslessStringConvertible, Comparable {
    private static let names: [(Self, String)] = [(.tcp, "tcp"), (.udp, "udp"), (.sctp, "sctp")]

    /// `tcp`, `udp` or `sctp`, in any case; nil for anything else.
    public init?(_ description: String) {
        guard let known = Self.names.first(where: { $0.1 == description.lowercased() }) else { return nil }
        self = known.0
    }

    /// The name in lower case, or the number.
    public var description: String {
        Self.names.first { $0.0 == self }?.1 ?? String(rawValue)
    }

    /// By number.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}

extension TransportProtocol: Codable {
    /// Reads the name.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let name = try container.decode(String.self)
        guard let known = Self(name) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(name) is no transport protocol")
        }
        self = known
    }

    /// Writes the name.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
