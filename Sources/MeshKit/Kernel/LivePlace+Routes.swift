import IPVSKit
import Netlink
import RuleKit
import SystemPackage

extension LivePlace {
    /// The priority of the mesh's routing rules: before those of the tables `main` and `default`.
    private static let rulePriority: UInt32 = 10900

    /// The routing rules of the mesh, which its protocol number marks.
    func routingRules() async throws -> Set<RoutingRule> {
        try await routes.asking("look at the routing rules") { () throws(NetlinkError) in
            let rules = try await routes.markRules().filter { $0.origin == Self.origin }
            return Set(
                rules.compactMap { rule in
                    AddressFamily(rawValue: UInt16(rule.family)).map {
                        RoutingRule($0, mark: rule.mark, table: RouteTable(rule.table))
                    }
                })
        }
    }

    func set(_ rule: RoutingRule, _ isWanted: Bool) async throws {
        let message = MarkRule(
            family: UInt8(rule.family.rawValue), mark: rule.mark, table: rule.table.number,
            priority: Self.rulePriority, origin: Self.origin)
        try await routes.asking("\(isWanted ? "add" : "remove") the routing rule \(rule)") { () throws(NetlinkError) in
            if isWanted { try await routes.add(message) } else { try await routes.remove(message) }
        }
    }

    func defaultAddresses() async throws -> [IPAddress] {
        try await routes.asking("look up the default routes") { () throws(NetlinkError) in
            try await routes.defaultAddresses()
        }
    }

    /// The least MTU of the interfaces by which the addresses are reached; nil if none is reached.
    func mtu(to addresses: Set<IPAddress>) async throws -> UInt32? {
        try await routes.asking("look up the routes to the other nodes") { () throws(NetlinkError) in
            let answers = try await routes.answers(to: addresses.map { RouteQuestion(to: $0.bytes) })
            let interfaces = Set(answers.compactMap(\.entry?.interface))
            guard !interfaces.isEmpty else { return nil }
            return try await routes.links().filter { interfaces.contains($0.index) }.map(\.mtu).min()
        }
    }

    /// The network of the route to each address. Addresses that are reached by the default route, or by none, are left
    /// out.
    func routedNetworks(of addresses: Set<IPAddress>) async throws -> [IPAddress: RoutedNetwork] {
        try await routes.asking("look up the routes to the tasks") { () throws(NetlinkError) in
            let addresses = Array(addresses)
            let answers = try await routes.answers(to: addresses.map { RouteQuestion(to: $0.bytes) })
            let names = interfaceNames(Set(answers.compactMap(\.entry?.interface)))
            var found: [IPAddress: RoutedNetwork] = [:]
            for (address, answer) in zip(addresses, answers) {
                guard let route = answer.entry, route.prefixLength > 0, !route.isLocal,
                    let interface = route.interface.flatMap({ names[$0] })
                else { continue }
                found[address] = RoutedNetwork(
                    prefix: IPPrefix(address, length: route.prefixLength), interface: interface)
            }
            return found
        }
    }
}
