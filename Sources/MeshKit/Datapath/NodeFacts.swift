package import IPVSKit
import RuleKit

/// What a node is, as far as it decides what its kernel should hold.
package struct NodeFacts: Equatable, Sendable {
    /// The node's own addresses, with the networks they are in.
    package var addresses: [InterfaceAddress] = []
    /// For addresses that are in none of these networks, the one that the node has a route to.
    var routes: [IPAddress: RoutedNetwork] = [:]
    /// By bridge its ports that lead into containers, and whether each turns packets back.
    package var bridgePorts = Reading<[String: [String: Bool]]>.known([:])
    /// Whether what a bridge passes on goes through the rules (br_netfilter).
    package var filtersBridges = false
    /// The ports that the node takes for connections of its own.
    package var localPorts: ClosedRange<UInt16> = 32768...60999
    /// The kernel's version: 6 and 12.
    package var kernel = KernelVersion(major: 6, minor: 0)
    /// The interfaces that may hear a router of their network: no bridges, no ports of bridges, no veth interfaces. Read
    /// where IPv6 forwarding is to be switched on, or was by us.
    package var outwardInterfaces: Set<String> = []
    /// The address families that the kernel has.
    package var families = Set(AddressFamily.allCases)
    /// What the settings of interfaces are that decide whether they mind router advertisements.
    package var settings: [Sysctl: String] = [:]

    /// - Parameters:
    ///   - addresses: the node's own.
    ///   - bridgePorts: those that lead into containers, by bridge.
    package init(
        addresses: [InterfaceAddress] = [], bridgePorts: Reading<[String: [String: Bool]]> = .known([:])
    ) {
        self.addresses = addresses
        self.bridgePorts = bridgePorts
    }

    /// Whether an address is this node's.
    func isOwn(_ address: IPAddress) -> Bool { addresses.contains { $0.address == address } }

    /// The networks that an address is in, of those that the node is in or has a route to, with their interfaces.
    func networks(of address: IPAddress) -> [(prefix: IPPrefix, interface: String)] {
        own(address) + (routes[address].map { [($0.prefix, $0.interface)] } ?? [])
    }

    /// Whether the node is in no network with an address.
    func isElsewhere(_ address: IPAddress) -> Bool { own(address).isEmpty }

    private func own(_ address: IPAddress) -> [(prefix: IPPrefix, interface: String)] {
        addresses.map { (IPPrefix($0.address, length: $0.prefixLength), $0.interface) }
            .filter { $0.0.contains(address) }
    }
}

/// A network that the node reaches by a route other than its default one.
package struct RoutedNetwork: Equatable, Sendable {
    /// Where the route leads.
    var prefix: IPPrefix
    /// By which interface.
    var interface: String
}
