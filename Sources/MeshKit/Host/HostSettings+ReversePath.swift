import IPVSKit
import RuleKit

/// Warnings about the strict check of reverse paths (`rp_filter`): a packet is dropped if its answer would leave by
/// another interface than the one on which it arrives.
extension HostSettings {
    /// Warnings about addresses of the node that hosts beyond their networks do not reach.
    ///
    /// - Parameters:
    ///   - address: the only address at which a port is published. Nil for all of the node's own, of which those count
    ///     by whose interfaces a default route leads: by another, no host beyond its network is expected.
    ///   - isElsewhere: whether packets have the sandbox's address in the place of the node's when they are checked.
    ///   - allowed: the networks from which clients may connect; empty for everywhere.
    func warnings(
        answeringFrom address: IPAddress?, isElsewhere: Bool, to allowed: [IPPrefix], on node: NodeFacts
    ) async -> [String] {
        let clients = Self.clientsBeyond(allowed, .ipv4, on: node)
        guard !clients.isEmpty else { return [] }
        let addresses = node.addresses.filter { own in
            own.address.family == .ipv4 && Self.isReached(own.address) && (address == nil || address == own.address)
        }
        var warnings: [String] = []
        for (own, link) in zip(addresses, await links(addresses.map(\.interface)))
        // The routes of a VRF are in a table of its own, and nobody is behind a dummy.
        where link.hasHosts && link.vrf == nil && isStrict(own.interface) {
            let packets = clients.map { client in
                RoutedPacket(source: isElsewhere ? nil : own.address, destination: client, asItStands: true)
            }
            let others = await routings(packets).compactMap(\.interface).filter { $0 != own.interface }
            guard let other = others.first else { continue }
            if address == nil, await leadOut([own.interface]) != [true] { continue }
            warnings += [
                "\(others.count == clients.count ? "" : "some ")hosts beyond the network of \(own.interface) cannot reach "
                    + "\(own.address): this node would answer them by \(other), and "
                    + "\(Sysctl.reversePathFilter(own.interface)) is 1",
                SurveyText.advice("sysctl -w \(Sysctl.reversePathFilter(own.interface))=2"),
            ]
        }
        return warnings
    }

    /// Whether the reverse path is checked strictly. The higher of the two values counts: 1 is strict, 2 is loose.
    private func isStrict(_ interface: String) -> Bool {
        let values = [Sysctl.reversePathFilter("all"), .reversePathFilter(interface)].compactMap(setting)
        return values.compactMap { Int($0) }.max() == 1
    }

    /// Sample addresses of clients that are in no network of the node.
    static func clientsBeyond(_ allowed: [IPPrefix], _ family: AddressFamily, on node: NodeFacts) -> [IPAddress] {
        guard !allowed.isEmpty else { return [outside(family)] }
        let clients = allowed.filter { $0.family == family }.compactMap { client(in: $0, on: node) }
        return Array(Set(clients.filter(node.isElsewhere)).sorted().prefix(8))
    }
}

extension Sysctl {
    /// Whether a packet is dropped if its answer would leave through another interface.
    static func reversePathFilter(_ interface: String) -> Self {
        Self(rawValue: "net/ipv4/conf/\(interface)/rp_filter")
    }
}
