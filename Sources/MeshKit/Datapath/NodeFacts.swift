import IPVSKit
import RuleKit

/// What a node is, as far as it decides what its kernel should hold.
package struct NodeFacts: Equatable, Sendable {
    /// The node's own addresses, with the networks they are in.
    package var addresses: [InterfaceAddress] = []
    /// For addresses that are in none of these networks, the one that the node has a route to.
    var routes: [IPAddress: RoutedNetwork] = [:]
    /// By bridge its ports that lead into containers, and whether each turns packets back.
    package var bridgePorts: [String: [String: Bool]] = [:]
    /// Whether what a bridge passes on goes through the rules (br_netfilter).
    package var filtersBridges = false
    /// The ports that the node takes for connections of its own.
    package var localPorts: ClosedRange<UInt16> = 32768...60999
    /// The kernel's version: 6 and 12.
    package var kernel = KernelVersion(major: 6, minor: 0)
    /// Interfaces with routes from router advertisements, which forwarding would make the kernel ignore.
    package var interfacesWithRouterAdvertisements: Set<String> = []

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
struct RoutedNetwork: Equatable, Sendable {
    /// Where the route leads.
    var prefix: IPPrefix
    /// By which interface.
    var interface: String
}

/// The first two parts of a kernel's version.
package struct KernelVersion: Hashable, Sendable, Comparable {
    /// 6 of 6.12.
    package var major: Int
    /// 12 of 6.12.
    package var minor: Int

    /// By number.
    package static func < (lhs: Self, rhs: Self) -> Bool { (lhs.major, lhs.minor) < (rhs.major, rhs.minor) }
}

extension KernelVersion {
    /// From what `uname -r` prints: `6.12.117+deb12-amd64`.
    init?(release: some StringProtocol) {
        let parts = release.split(separator: ".", maxSplits: 2)
        guard parts.count >= 2, let major = Int(parts[0]),
            let minor = Int(parts[1].prefix { ("0"..."9").contains($0) })
        else { return nil }
        self.init(major: major, minor: minor)
    }
}
