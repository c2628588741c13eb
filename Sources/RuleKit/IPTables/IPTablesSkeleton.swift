import IPVSKit

/// The constant rules of one family. They look up ports in sets, so that a published port needs no rule of its own.
///
/// Every line is written as iptables-save prints it, so that the saved tables can be compared with it word for word.
struct Skeleton: Equatable {
    struct Chain: Equatable {
        var table: String
        var name: String
        /// The built-in chains that jump to the chain, and under which condition.
        var jumps: [Jump]
        var rules: [String]
        /// Whether the rules of the chain vary: then they are elements (``TargetRule``).
        var isVariable = false
    }

    struct Jump: Equatable {
        var from: String
        var condition: String
    }

    /// In the reverse of the order in which a packet meets the tables. No packet is balanced until the last chain is
    /// installed.
    var chains: [Chain]

    init(role: RuleRole, family: AddressFamily) {
        chains =
            switch role {
            case .balancer(let detour, let ingress, let sourcePorts, let mtu):
                Self.balancer(
                    BalancerChains(
                        family: family, detour: detour, ingress: ingress, sourcePorts: sourcePorts, mtu: mtu))
            case .turnaround(let node): node.first { $0.family == family }.map(Self.turnaround) ?? []
            case .task(let path): Self.task(path, family)
            case .passage(let path):
                [BalancerChains(family: family, detour: nil, ingress: path, sourcePorts: nil, mtu: nil).passage]
                    .compactMap(\.self)
            }
    }

    static let tables = ["nat", "filter", "mangle", "raw"]

    /// The rules by which a packet comes to a chain of any skeleton, word for word. Whatever else leads there is
    /// somebody else's. A version that writes other words has to keep these, or it will leave them where they are.
    static let allJumpLines = Set(
        formerJumpLines
            + [IPAddress(ipv4: 0), IPAddress(ipv6: 0)].flatMap { end in
                let path = IngressPath(addresses: [end], interface: "", bridge: "", subnets: [IPPrefix(end)])
                let back = TaskReturn(
                    interface: "", senders: [], subnets: [IPPrefix(end)], destinations: [end], hasZones: true)
                return [
                    .balancer(detour: Detour(to: [end], by: ""), ingress: path, mtu: 1500),
                    .turnaround(node: [end]), .task(back), .passage(path),
                ].flatMap { role in
                    Skeleton(role: role, family: end.family).chains.flatMap { $0.jumpLines() }
                }
            })

    /// Those that only earlier versions wrote.
    private static let formerJumpLines =
        ["PREROUTING", "OUTPUT"].map { "-A \($0) -m addrtype --dst-type LOCAL -j MESH-DETOUR" }
        + [("PREROUTING", "ALLOW"), ("PREROUTING", "MARK"), ("OUTPUT", "MARK")].map {
            "-A \($0) -m addrtype --dst-type LOCAL -m conntrack --ctdir ORIGINAL -j MESH-\($1)"
        }

    /// Whatever comes from the node goes back to it, from an address of this namespace.
    private static func turnaround(_ node: IPAddress) -> [Chain] {
        [
            Chain(
                table: "nat", name: "MESH-TURN", jumps: [.init(from: "PREROUTING", condition: "")],
                rules: ["-s \(IPPrefix(node)) -j DNAT --to-destination \(node)"]),
            Chain(
                table: "nat", name: "MESH-SNAT", jumps: [.init(from: "POSTROUTING", condition: "")],
                rules: ["-d \(IPPrefix(node)) -j MASQUERADE"]),
        ]
    }

    private static func balancer(_ chains: BalancerChains) -> [Chain] {
        [
            chains.target, chains.ingressDNAT, chains.detourLoopback, chains.sourceNAT, chains.forward, chains.stray,
            chains.allow, chains.mark, chains.entry, chains.segments,
        ].compactMap(\.self)
    }
}

extension Skeleton.Chain {
    func jumpLines() -> [String] { jumps.map { "-A \($0.from) \($0.condition)-j \(name)" } }
    func ruleLines() -> [String] { rules.map { "-A \(name) \($0)" } }
}
