public import IPVSKit

/// An IPv4 or IPv6 network: `10.0.0.0/8`. A single address is a network of 32 or 128 bits.
public struct IPPrefix: Hashable, Sendable {
    /// The network's first address: all bits past the length are 0.
    public let address: IPAddress
    /// The number of leading bits that all addresses of the network share.
    public let length: Int

    /// The network that contains an address. The bits past the length are set to 0.
    ///
    /// - Precondition: `length` is 0 to 32 for IPv4, 0 to 128 for IPv6.
    public init(_ address: IPAddress, length: Int) {
        self.length = length
        switch address.storage {
        case .ipv4(let number):
            precondition((0...32).contains(length), "an IPv4 prefix has 0 to 32 bits")
            self.address = IPAddress(ipv4: length == 0 ? 0 : number & (UInt32.max << UInt32(32 - length)))
        case .ipv6(let number):
            precondition((0...128).contains(length), "an IPv6 prefix has 0 to 128 bits")
            self.address = IPAddress(ipv6: length == 0 ? 0 : number & (UInt128.max << UInt128(128 - length)))
        }
    }

    /// The network that contains one address only.
    public init(_ address: IPAddress) { self.init(address, length: address.family == .ipv4 ? 32 : 128) }

    /// The network of all addresses of a family.
    package static func everywhere(_ family: AddressFamily) -> IPPrefix {
        IPPrefix(family == .ipv4 ? IPAddress(ipv4: 0) : IPAddress(ipv6: 0), length: 0)
    }

    /// The network that begins and ends with these addresses; nil if no network does.
    init?(from first: IPAddress, through last: IPAddress) {
        let bits = first.family == .ipv4 ? 32 : 128
        guard first.family == last.family,
            let length = (0...bits).first(where: { length in
                let prefix = IPPrefix(first, length: length)
                return prefix.address == first && prefix.lastAddress == last
            })
        else { return nil }
        self.init(first, length: length)
    }

    /// The family of its addresses.
    public var family: AddressFamily { address.family }

    /// The network's last address.
    public var lastAddress: IPAddress {
        switch address.storage {
        case .ipv4(let number): IPAddress(ipv4: number | (length == 0 ? .max : ~(UInt32.max << UInt32(32 - length))))
        case .ipv6(let number):
            IPAddress(ipv6: number | (length == 0 ? .max : ~(UInt128.max << UInt128(128 - length))))
        }
    }

    /// Whether the network contains an address.
    public func contains(_ address: IPAddress) -> Bool {
        address.family == family && self.address <= address && address <= lastAddress
    }

    /// Whether the networks have an address in common, which is the case if one of them contains the other.
    func overlaps(_ other: IPPrefix) -> Bool { contains(other.address) || other.contains(address) }
}

extension Set<IPPrefix> {
    /// The networks that lie in no other network of the set: together they contain the same addresses. The kernel's
    /// interval sets refuse a network inside another, and its hash sets get slower with each length of prefix.
    var outermost: Set<IPPrefix> {
        var kept: [IPPrefix] = []
        // In sorted order, a network stands behind the networks that contain it.
        for prefix in sorted() where kept.last?.contains(prefix.address) != true { kept.append(prefix) }
        return Set(kept)
    }
}

extension IPPrefix: LosslessStringConvertible, Comparable {
    /// Reads `10.0.0.0/8`, `10.1.2.3/8` (which is 10.0.0.0/8) or an address without a length. Nil for any other text.
    public init?(_ description: String) {
        let parts = description.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(String(parts[0])) as IPAddress? else { return nil }
        guard parts.count == 2 else {
            self.init(address)
            return
        }
        let isNumber =
            !parts[1].isEmpty && parts[1].utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            // A leading zero is refused, because other programs read such a number as octal.
            && (parts[1].utf8.count == 1 || parts[1].utf8.first != UInt8(ascii: "0"))
        guard isNumber, let length = Int(parts[1]), length <= (address.family == .ipv4 ? 32 : 128) else { return nil }
        self.init(address, length: length)
    }

    /// The address and the length: `10.0.0.0/8`, and `10.1.2.3/32` for a single address.
    public var description: String { "\(address)/\(length)" }

    /// By address, then length.
    public static func < (lhs: Self, rhs: Self) -> Bool { (lhs.address, lhs.length) < (rhs.address, rhs.length) }
}

extension IPPrefix: ExpressibleByStringLiteral {
    /// For networks written in source code. A literal that is not a network is a mistake of the program and traps.
    public init(stringLiteral value: String) {
        // `Self(value)` would call this initialiser again: for a literal, Swift prefers it to the failable one.
        let parsed: Self? = .init(value)
        guard let parsed else { preconditionFailure("not a network: \(value)") }
        self = parsed
    }
}

extension IPPrefix: Codable {
    /// Reads the text.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let prefix = Self(text) as Self? else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(text) is no network")
        }
        self = prefix
    }

    /// Writes the text.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
