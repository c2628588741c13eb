public import IPVSKit
public import RuleKit

/// An interface that the mesh makes, with each of its ends. A veth pair is one link with ends in two places.
public struct Link: Hashable, Sendable {
    /// What the kernel is asked for.
    public enum Kind: String, Hashable, Sendable {
        /// A pair of interfaces: what enters one leaves by the other.
        case veth
    }

    /// What the kernel is asked for.
    public var kind: Kind
    /// The interfaces, the one in the place that a packet meets last first.
    public var ends: [LinkEnd]
    /// The place that the link is made for: where this host refuses the link, it is that place that is done without.
    public var purpose: PlaceID
    /// What is written on each end (`ip link set … alias`), to tell it from an interface of somebody else's.
    public var alias: String

    /// A veth pair.
    ///
    /// - Parameters:
    ///   - far: the end in the place that a packet meets last.
    ///   - near: the other end.
    public static func pair(_ far: LinkEnd, _ near: LinkEnd, for purpose: PlaceID, alias: String) -> Self {
        Self(kind: .veth, ends: [far, near], purpose: purpose, alias: alias)
    }

    /// The end that an end leads to.
    func peer(of end: LinkEnd) -> LinkEnd? { ends.first { $0.id != end.id } }
}

/// One interface of a link, with what it is to have.
public struct LinkEnd: Hashable, Sendable {
    /// What tells an end from all others.
    public struct ID: Hashable, Sendable, Comparable, CustomStringConvertible {
        /// The place it is in.
        public var place: PlaceID
        /// The name of the interface.
        public var name: String

        /// By place, then by name.
        public static func < (lhs: Self, rhs: Self) -> Bool { (lhs.place, lhs.name) < (rhs.place, rhs.name) }
        /// `eth0 in loopback`; in the node's own namespace the name alone.
        public var description: String { place == .node ? name : "\(name) in \(place)" }
    }

    /// The place and the name.
    public var id: ID
    /// Chosen by us: a hardware address of the kernel's choice udev may replace, after the other end has learnt it.
    public var hardwareAddress: HardwareAddress
    /// Its addresses, with the lengths of their prefixes.
    public var addresses: Set<InterfacePrefix> = []
    /// Routes by it, besides those that its addresses bring.
    public var routes: Set<Route> = []
    /// Who is at the other end, so that nobody need ask.
    public var neighbours: [IPAddress: HardwareAddress] = [:]
    /// Settings of the interface.
    public var settings: [Sysctl: String] = [:]
    /// Addresses that packets must reach by this interface. A route or a policy rule of somebody else's may lead
    /// elsewhere, which no change to the interface can mend.
    public var reaches: Set<IPAddress> = []
    /// Addresses that nobody else may use or have a route to.
    public var claims: [IPPrefix] = []

    /// An interface without addresses.
    public init(_ name: String, in place: PlaceID, hardwareAddress: HardwareAddress) {
        id = ID(place: place, name: name)
        self.hardwareAddress = hardwareAddress
    }
}

/// An address with the length of the prefix that its network shares: `169.254.113.1/30`.
public struct InterfacePrefix: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The address.
    public var address: IPAddress
    /// How many leading bits the network shares.
    public var length: Int

    /// An address of an interface.
    public init(_ address: IPAddress, length: Int) {
        self.address = address
        self.length = length
    }

    /// By address.
    public static func < (lhs: Self, rhs: Self) -> Bool { (lhs.address, lhs.length) < (rhs.address, rhs.length) }
    /// `169.254.113.1/30`.
    public var description: String { "\(address)/\(length)" }
}

/// Six bytes, the most significant first, as packets hold them.
public struct HardwareAddress: Hashable, Sendable, CustomStringConvertible {
    /// The bytes.
    public var bytes: [UInt8]

    /// An address from its bytes.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// An address that is derived from an IPv4 address: locally administered, so that no card has it.
    public init(derivedFrom address: IPAddress) { bytes = [2, 0] + address.bytes.suffix(4) }

    /// `02:00:a9:fe:71:01`.
    public var description: String {
        bytes.map { String(UInt16($0) + 0x100, radix: 16).dropFirst() }.joined(separator: ":")
    }
}

/// A route by an interface.
public struct Route: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Where it leads.
    public var destination: IPPrefix
    /// The next hop; nil where the destination is on the link.
    public var gateway: IPAddress?
    /// The address that packets of the namespace's own get as their source; nil for the kernel's choice.
    public var source: IPAddress?

    /// A route.
    public init(to destination: IPPrefix, via gateway: IPAddress? = nil, source: IPAddress? = nil) {
        self.destination = destination
        self.gateway = gateway
        self.source = source
    }

    /// By destination.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.description < rhs.description }
    /// `10.0.0.0/8 via 10.0.0.1 src 10.0.0.2`, as `ip route` writes it.
    public var description: String {
        "\(destination)" + (gateway.map { " via \($0)" } ?? "") + (source.map { " src \($0)" } ?? "")
    }
}
