public import IPVSKit
public import RuleKit

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
    /// For a VXLAN interface: the address of the node behind which each hardware address is.
    public var forwarding: [HardwareAddress: IPAddress] = [:]
    /// The bridge of the same place to which the interface belongs as a port.
    public var bridge: String?
    /// Whether the port exchanges no packets with the other isolated ports of its bridge.
    public var isIsolated = false
    /// The greatest length of a packet in bytes (MTU). Nil leaves it as it is.
    public var mtu: UInt32?
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
