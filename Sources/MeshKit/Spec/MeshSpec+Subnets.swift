import IPVSKit
import RuleKit

extension MeshSpec {
    /// Checks that subnets can be those of a network or of a gateway bridge: at most one of each family, large enough,
    /// and for hosts.
    static func validate(subnets: [IPPrefix], of owner: String) throws(InputError) {
        for subnet in subnets {
            if let fault = subnet.faultForHosts { throw InputError("\(subnet) \(fault)") }
            if let other = subnets.first(where: { $0 != subnet && $0.family == subnet.family }) {
                throw InputError(
                    "\(other) and \(subnet) are of one address family: \(owner) takes one subnet of each family")
            }
        }
        if Set(subnets).count != subnets.count { throw InputError("\(subnets[0]) is written twice for \(owner)") }
    }

    /// What a subnet is for, which decides whom it may overlap.
    enum SubnetUse: Equatable {
        /// An overlay network. All nodes reach it.
        case network
        /// The gateway bridge of a node. Nobody else sees it, so other nodes may have the same.
        case gatewayBridge(of: String)
    }

    /// Who has addresses of a subnet already, in words; nil if nobody has.
    ///
    /// - Parameter use: what the subnet is for. The gateway subnets of other nodes do not concern a gateway bridge.
    func occupant(of subnet: IPPrefix, for use: SubnetUse, avoiding host: HostNetworks) -> String? {
        for (name, network) in networks.sorted(by: { $0.key < $1.key }) {
            if let met = network.subnets.first(where: subnet.meets) { return "network \(name) has \(met)" }
        }
        for (name, node) in nodes.sorted(by: { $0.key < $1.key }) {
            if let address = node.address, subnet.contains(address) { return "node \(name) is at \(address)" }
            guard use == .network else { continue }
            if let met = node.gatewaySubnets.first(where: subnet.meets) {
                return "the gateway bridge of node \(name) has \(met)"
            }
        }
        if let (met, interface) = host.prefixes.sorted(by: { $0.key < $1.key }).first(where: { subnet.meets($0.key) }) {
            return "the interface \(interface) of this host leads to \(met)"
        }
        for (name, service) in services.sorted(by: { $0.key < $1.key }) {
            if let task = service.tasks.first(where: { $0.attachment == nil && subnet.contains($0.address) }) {
                return "task \(task.address) of service \(name), which the host's routes reach, is in it"
            }
        }
        return nil
    }

    /// The first of the candidates in which nobody has an address; nil if there is none.
    func firstFree(
        _ candidates: some Sequence<IPPrefix>, for use: SubnetUse, avoiding host: HostNetworks
    ) -> IPPrefix? {
        candidates.first { occupant(of: $0, for: use, avoiding: host) == nil }
    }
}

extension IPPrefix {
    /// Why hosts cannot have addresses in this network; nil if they can.
    var faultForHosts: String? {
        if let ipv4 = writtenAsIPv6 { return "is IPv4 written as IPv6, which no packet carries: write it as \(ipv4)" }
        if let other = Self.notForHosts.first(where: meets) {
            return "overlaps \(other), in which no host has an address of its own"
        }
        switch family {
        case .ipv4 where length > 29: return "is too small: the longest prefix of an IPv4 subnet is 29"
        case .ipv6 where length > 120: return "is too small: the longest prefix of an IPv6 subnet is 120"
        default: return nil
        }
    }

    /// "This network", loopback, link-local, multicast and reserved addresses, and the forms of IPv4 in IPv6. The detour
    /// of 127.0.0.1 has link-local addresses.
    private static let notForHosts: [IPPrefix] = [
        "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "::/16", "fe80::/10", "ff00::/8",
    ]
}
