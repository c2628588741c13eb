public import IPVSKit
public import RuleKit

/// A link that the mesh makes: one interface, or the connected ends of a pair. A veth pair is one link with ends in two
/// places.
public struct Link: Hashable, Sendable {
    /// The type of a link, as `ip link add … type` names it.
    public enum Kind: String, Hashable, Sendable {
        /// A pair of interfaces. A packet that enters one leaves through the other.
        case veth
    }

    /// The type.
    public var kind: Kind
    /// The ends of the link. The end in the place that a packet meets last comes first.
    public var ends: [LinkEnd]
    /// The place for which the link is made. If this host refuses the link, the mesh does without this place.
    public var purpose: PlaceID
    /// The alias of each end (`ip link set … alias`), which distinguishes it from interfaces of other programs.
    public var alias: String

    /// A veth pair.
    ///
    /// - Parameters:
    ///   - far: the end in the place that a packet meets last.
    ///   - near: the other end.
    public static func pair(_ far: LinkEnd, _ near: LinkEnd, for purpose: PlaceID, alias: String) -> Self {
        Self(kind: .veth, ends: [far, near], purpose: purpose, alias: alias)
    }

    /// The other end of a pair.
    func peer(of end: LinkEnd) -> LinkEnd? { ends.first { $0.id != end.id } }
}

/// One interface of a link, with everything that it should have.
public struct LinkEnd: Hashable, Sendable {
    /// Identifies an end.
    public struct ID: Hashable, Sendable, Comparable, CustomStringConvertible {
        /// The place that contains the interface.
        public var place: PlaceID
        /// The name of the interface.
        public var name: String

        /// By place, then by name.
        public static func < (lhs: Self, rhs: Self) -> Bool { (lhs.place, lhs.name) < (rhs.place, rhs.name) }
        /// `eth0 in loopback`; only the name in the node's own namespace.
        public var description: String { place == .node ? name : "\(name) in \(place)" }
    }

    /// The place and the name.
    public var id: ID
    /// The hardware address, which the mesh chooses. udev may replace an address of the kernel's choice after the other
    /// end has learnt it.
    public var hardwareAddress: HardwareAddress
    /// The addresses, with the lengths of their prefixes.
    public var addresses: Set<InterfacePrefix> = []
    /// The routes through the interface, besides those that the addresses bring.
    public var routes: Set<Route> = []
    /// The permanent neighbours, so that the kernel need not ask for them.
    public var neighbours: [IPAddress: HardwareAddress] = [:]
    /// The kernel settings of the interface.
    public var settings: [Sysctl: String] = [:]
    /// The addresses that packets must reach through this interface. A route or a routing rule of another program may
    /// lead elsewhere, which no change to the interface can repair.
    public var reaches: Set<IPAddress> = []
    /// The networks whose addresses nobody else may use or have a route to.
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
    /// The number of leading bits that all addresses of the network share.
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

/// A hardware address: six bytes, most significant first, as in packets.
public struct HardwareAddress: Hashable, Sendable, CustomStringConvertible {
    /// The bytes.
    public var bytes: [UInt8]

    /// An address from its bytes.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// An address derived from an IPv4 address. It is locally administered, so no network card has it.
    public init(derivedFrom address: IPAddress) { bytes = [2, 0] + address.bytes.suffix(4) }

    /// `02:00:a9:fe:71:01`.
    public var description: String {
        bytes.map { String(UInt16($0) + 0x100, radix: 16).dropFirst() }.joined(separator: ":")
    }
}

/// A route through an interface.
public struct Route: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The network to which the route leads.
    public var destination: IPPrefix
    /// The next hop; nil if the destination is on the link.
    public var gateway: IPAddress?
    /// The source address of packets that the namespace itself sends; nil for the kernel's choice.
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
