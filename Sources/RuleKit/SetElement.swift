public import IPVSKit

/// An element of a set or map in which a backend's rules look packets up. Elements change while the rules stay.
///
/// The set decides which parts make up the key, and in which order.
public struct SetElement: Hashable, Sendable {
    /// The value to which a map maps a key.
    public enum Value: Hashable, Sendable {
        /// A firewall mark.
        case mark(FirewallMark)
        /// A port; for a range the first one.
        case port(UInt16)
        /// A named counter.
        case counter(String)
    }

    /// The set or map.
    public var set: String
    /// The mark, where it is part of the key.
    public var mark: FirewallMark?
    /// The protocol, where it is part of the key.
    public var transport: TransportProtocol?
    /// The ports, where they are part of the key.
    public var ports: ClosedRange<UInt16>?
    /// The address, where it is part of the key.
    public var address: IPAddress?
    /// The network, where it is part of the key.
    public var prefix: IPPrefix? {
        get { if case .prefix(let prefix) = rarity { prefix } else { nil } }
        set { rarity = newValue.map(Rarity.prefix) }
    }
    /// The key as found, if no element of ours can have such a key. The parts above are nil then.
    public var stray: StrayKey? {
        get { if case .stray(let key) = rarity { key } else { nil } }
        set { rarity = newValue.map(Rarity.stray) }
    }
    /// The value of the key; nil in a set, and in a map for a value that we never write.
    public var value: Value?

    /// Parts that few elements have, stored indirectly: there may be tens of thousands of elements without them, and a
    /// pass copies each element several times.
    private indirect enum Rarity: Hashable {
        case prefix(IPPrefix)
        case stray(StrayKey)
    }
    private var rarity: Rarity?

    /// An element of a set, with the parts of its key that the set has.
    public init(
        _ set: String, mark: FirewallMark? = nil, transport: TransportProtocol? = nil,
        ports: ClosedRange<UInt16>? = nil, address: IPAddress? = nil, prefix: IPPrefix? = nil, value: Value? = nil
    ) {
        self.set = set
        self.mark = mark
        self.transport = transport
        self.ports = ports
        self.address = address
        self.prefix = prefix
        self.value = value
    }

    /// An element that was found and cannot be ours.
    init(_ set: String, stray: StrayKey) {
        self.set = set
        self.stray = stray
    }

    /// Hashes the parts that distinguish elements, packed into few pieces: a pass looks each element up several times,
    /// and there may be tens of thousands.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(set)
        hasher.combine(
            UInt64(mark?.rawValue ?? 0) << 32 | UInt64(ports?.lowerBound ?? 0) << 16 | UInt64(transport?.rawValue ?? 0))
        if let address { hasher.combine(address) }
        if let rarity { hasher.combine(rarity) }
        switch value {
        case .mark(let mark): hasher.combine(mark)
        case .port(let port): hasher.combine(port)
        // The name of a counter follows from the key.
        case .counter, nil: break
        }
    }

    /// The same element with other ports.
    func with(ports: ClosedRange<UInt16>?) -> Self {
        var other = self
        other.ports = ports
        return other
    }

    /// The same element once for each range of ports.
    func with(_ ports: RangeSet<Int>) -> [Self] { ports.portRanges.map { with(ports: $0) } }

    /// The key without its ports. Only elements for which this is equal can overlap.
    var keyWithoutPorts: Self {
        var other = self
        other.ports = nil
        other.value = nil
        return other
    }
}

/// A key that was found and is not ours. It is shown to the user, and removed.
public struct StrayKey: Hashable, Sendable, CustomStringConvertible {
    /// The key in words: `10.0.0.0/8 . 10.1.0.0/16`.
    public let description: String
    /// The key in the backend's own form.
    let bytes: [UInt8]
}

extension SetElement: CustomStringConvertible, Comparable {
    private var key: String {
        var parts: [String] = []
        if let mark { parts.append("\(mark)") }
        if let address { parts.append("\(address)") }
        if let transport { parts.append("\(transport)") }
        if let ports { parts.append(PortBinding.text(of: ports)) }
        if let prefix { parts.append("\(prefix)") }
        if let stray { parts.append("\(stray)") }
        return parts.joined(separator: " . ")
    }

    /// `marks 1080 : 0x102`.
    public var description: String {
        switch value {
        case nil: "\(set) \(key)"
        case .mark(let mark): "\(set) \(key) : \(mark)"
        case .port(let port): "\(set) \(key) : \(port)"
        case .counter(let name): "\(set) \(key) : \(name)"
        }
    }

    /// Orders by set, then by the parts of the key.
    public static func < (lhs: Self, rhs: Self) -> Bool {
        if lhs.set != rhs.set { return lhs.set < rhs.set }
        if lhs.mark != rhs.mark { return before(lhs.mark, rhs.mark) }
        if lhs.address != rhs.address { return before(lhs.address, rhs.address) }
        if lhs.transport != rhs.transport { return before(lhs.transport, rhs.transport) }
        if lhs.ports != rhs.ports {
            return before(lhs.ports?.lowerBound, rhs.ports?.lowerBound)
                || (lhs.ports?.lowerBound == rhs.ports?.lowerBound
                    && before(lhs.ports?.upperBound, rhs.ports?.upperBound))
        }
        if lhs.prefix != rhs.prefix { return before(lhs.prefix, rhs.prefix) }
        return lhs != rhs && lhs.description < rhs.description
    }

    private static func before<Part: Comparable>(_ left: Part?, _ right: Part?) -> Bool {
        guard let right else { return false }
        return left.map { $0 < right } ?? true
    }
}
