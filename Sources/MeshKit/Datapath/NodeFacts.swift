package import IPVSKit
import RuleKit

/// The properties of a node that decide what its kernel should hold.
package struct NodeFacts: Equatable, Sendable {
    /// The node's own addresses, with the networks that they are in.
    package var addresses: [InterfaceAddress] = []
    /// The network of the node's route to each address that is in none of the node's own networks.
    var routes: [IPAddress: RoutedNetwork] = [:]
    /// For each bridge, its ports that lead into containers, and whether each port is in hairpin mode.
    package var bridgePorts = Reading<[String: [String: Bool]]>.known([:])
    /// The lent places that no longer exist, such as the namespaces of tasks that have ended.
    package var gone: Set<PlaceID> = []
    /// The addresses by which the default routes of this node's tasks lead, of tasks that another node has recorded
    /// without knowing them.
    package var defaultAddresses: [PlaceID: [IPAddress]] = [:]
    /// The greatest length of a packet to the other nodes, in bytes: the least of the interfaces by which they are
    /// reached. Nil if there are none, or none is reached.
    package var underlayMTU: UInt32?
    /// Whether iptables has a table that filters forwarded packets. It is looked at only if the mesh sends some.
    package var filtersForwards = Reading<Bool>.known(false)
    /// Whether the kernel has conntrack zones, or where it does not say, what the mesh has recorded; nil if nobody looked,
    /// since no task of this node was attached.
    package var hasZones: Bool?
    /// Whether br_netfilter is loaded, so that each namespace has its settings.
    package var hasBridgeFilter = false
    /// Whether packets that a bridge forwards pass the rules (br_netfilter).
    package var filtersBridges = false
    /// The range from which the node chooses source ports (`ip_local_port_range`).
    package var localPorts: ClosedRange<UInt16> = 32768...60999
    /// The kernel's version.
    package var kernel = KernelVersion(major: 6, minor: 0)
    /// The interfaces that may hear a router of their network: no bridges, bridge ports or veth interfaces. They are
    /// read only if IPv6 forwarding is to be switched on, or the mesh has switched it on.
    package var outwardInterfaces: Set<String> = []
    /// The address families that the kernel has.
    package var families = Set(AddressFamily.allCases)
    /// The values of the node's settings, among them those that decide whether an interface obeys router
    /// advertisements.
    package var settings: [Sysctl: String] = [:]

    /// - Parameters:
    ///   - addresses: the node's own addresses.
    ///   - bridgePorts: the bridge ports that lead into containers, by bridge.
    package init(
        addresses: [InterfaceAddress] = [], bridgePorts: Reading<[String: [String: Bool]]> = .known([:])
    ) {
        self.addresses = addresses
        self.bridgePorts = bridgePorts
    }

    /// Whether an address is one of this node's own.
    func isOwn(_ address: IPAddress) -> Bool { addresses.contains { $0.address == address } }

    /// The networks that contain an address, with their interfaces. Only networks that the node is in or has a route to
    /// are considered.
    func networks(of address: IPAddress) -> [(prefix: IPPrefix, interface: String)] {
        own(address) + (routes[address].map { [($0.prefix, $0.interface)] } ?? [])
    }

    /// Whether an address is in none of the networks that the node is in.
    func isElsewhere(_ address: IPAddress) -> Bool { own(address).isEmpty }

    private func own(_ address: IPAddress) -> [(prefix: IPPrefix, interface: String)] {
        addresses.map { (IPPrefix($0.address, length: $0.prefixLength), $0.interface) }
            .filter { $0.0.contains(address) }
    }
}

/// A network that the node reaches by a route other than its default one.
package struct RoutedNetwork: Equatable, Sendable {
    /// The network to which the route leads.
    var prefix: IPPrefix
    /// The interface through which the route leads.
    var interface: String
}
