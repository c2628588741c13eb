import IPVSKit

/// The constant rules. They look everything up in sets, so that a published port needs no rule of its own.
///
/// Every line is written as `nft` 1.0.6 lists it, so that a listing can be compared with it word for word.
struct NFTablesSkeleton: Equatable {
    struct Chain: Equatable {
        var name: String
        /// `type filter hook …` for a base chain.
        var hook: String?
        var rules: [String]

        var lines: [String] {
            ["\tchain \(name) {"] + (hook.map { ["\t\t\($0); policy accept;"] } ?? [])
                + rules.map { "\t\t" + $0 } + ["\t}"]
        }
    }

    var sets: [NFTablesSet]
    var chains: [Chain]

    init(_ role: RuleRole) {
        switch role {
        case .balancer(let detour, let ingress, let sourcePorts, let mtu):
            sets = NFTablesSet.allCases
            chains = Self.balancer(detour, ingress, sourcePorts, mtu)
        case .turnaround(let node):
            sets = []
            chains = [
                Chain(
                    name: "nat-prerouting", hook: Self.natPrerouting,
                    rules: node.map { "\($0.family.keyword) saddr \($0) dnat \($0.family.keyword) to \($0)" }),
                Chain(
                    name: "nat-postrouting", hook: Self.natPostrouting,
                    rules: node.map { "\($0.family.keyword) daddr \($0) masquerade" }),
            ]
        case .task(let path):
            sets = []
            chains = Self.task(path)
        case .passage:
            sets = []
            chains = []
        }
    }

    static let natPrerouting = "type nat hook prerouting priority dstnat"
    private static let natOutput = "type nat hook output priority -100"
    static let natPostrouting = "type nat hook postrouting priority srcnat"

    private static func balancer(
        _ detour: Detour?, _ ingress: IngressPath?, _ sourcePorts: ClosedRange<UInt16>?, _ mtu: UInt32?
    ) -> [Chain] {
        // Only packets of the original direction are marked: a reply to a connection of the node itself whose source
        // port happens to be published must not be balanced.
        let enter = "ct direction original fib daddr type local jump "
        var arriving = [enter + "marking", "meta mark @restricted jump restrict"]
        if mtu != nil { arriving.append("tcp flags syn jump segments") }
        var chains = [
            // The node itself is always allowed; its packets come from lo or from the detour.
            Chain(
                name: "restrict",
                rules: [
                    detour.map { "iifname { \"lo\", \"\($0.interface)\" } return" } ?? "iifname \"lo\" return",
                    "meta mark . ip saddr @allowed4 return", "meta mark . ip6 saddr @allowed6 return",
                    "counter drop",
                ]),
            Chain(name: "counting", rules: ["counter name meta mark map @counters"]),
            Chain(
                name: "marking",
                rules: loopbackReturns + linkLocalReturns + lookups.map { "meta mark set \($0) goto counting" }),
            Chain(
                name: "stray",
                rules: [("ip saddr", 4), ("ip6 saddr", 6)].flatMap { address, digit in
                    [
                        ("meta l4proto . th", "answers"), ("tcp", "answer_ranges_tcp"), ("sctp", "answer_ranges_sctp"),
                    ].map { "\(address) . \($0) sport @\($1)\(digit) counter drop" }
                }),
            Chain(
                name: "translate",
                rules: [4, 6].map {
                    "meta nfproto ipv\($0) meta l4proto { tcp, udp, sctp } dnat to :meta mark . th dport map @targets\($0)"
                }),
            Chain(name: "prerouting", hook: "type filter hook prerouting priority mangle", rules: arriving),
            // The chain is of type route, since the mark decides the route of the packet.
            Chain(
                name: "output", hook: "type route hook output priority mangle",
                rules: [enter + "marking"]),
            // This chain is behind IPVS, whose hooks are at priorities 98 and 99: IPVS has already translated back the
            // replies of tasks to clients on the node.
            Chain(name: "input", hook: "type filter hook input priority 200", rules: ["ct state invalid jump stray"]),
        ]
        if let mtu { chains.insert(segments(in: mtu), at: 0) }
        let entrances = loopbackEntrances(detour, ingress)
        if !entrances.isEmpty { chains += leavingLoopback(detour, ingress) }
        let toSandbox = ingress.map { intoSandbox($0) } ?? []
        chains += [
            Chain(name: "nat-prerouting", hook: natPrerouting, rules: toSandbox + ["jump translate"]),
            Chain(name: "nat-output", hook: natOutput, rules: entrances + toSandbox + ["jump translate"]),
        ]
        if ingress != nil { chains.append(unmarking) }
        chains += [
            // A nat chain here also makes conntrack choose another source port where two published ports with one
            // target would send a task the same connection twice.
            Chain(
                name: "nat-postrouting", hook: natPostrouting,
                rules: sourceNAT(detour) + (ingress.map(masquerading) ?? []) + (sourcePorts.map(translating) ?? []))
        ]
        return chains
    }

    /// IPVS drops packets from loopback addresses, so packets to them are not marked.
    private static let loopbackReturns = ["ip daddr 127.0.0.0/8 return", "ip6 daddr ::1 return"]
    /// No router forwards a packet from or to a link-local address, so that a task's answer would be lost.
    private static let linkLocalReturns = ["ip6 saddr fe80::/10 return", "ip6 daddr fe80::/10 return"]

    /// The lookups of the mark, in the order from specific to general. A rule whose lookup finds nothing does not match.
    static let lookups = [
        "ip daddr . meta l4proto . th dport map @marks_at4", "ip6 daddr . meta l4proto . th dport map @marks_at6",
        "meta l4proto . th dport map @marks",
        "tcp dport map @ranges_tcp", "udp dport map @ranges_udp", "sctp dport map @ranges_sctp",
        "ip daddr map @vips4", "ip6 daddr map @vips6",
    ]

    private static func sourceNAT(_ detour: Detour?) -> [String] {
        var rules: [String] = []
        if let detour {
            // Packets to the other namespace get an address that it can answer, whichever address the client has bound.
            // Packets from there to the tasks get an address that the tasks can answer.
            rules.append("oifname \"\(detour.interface)\" masquerade")
            rules += detour.addresses.map { "meta mark @published \($0.family.keyword) saddr \($0) masquerade" }
        }
        return rules + [
            "meta mark . ip daddr @masquerade4 masquerade", "meta mark . ip6 daddr @masquerade6 masquerade",
            "meta mark @published ip saddr . ip daddr @hairpin4 masquerade",
            "meta mark @published ip6 saddr . ip6 daddr @hairpin6 masquerade",
        ]
    }

    /// The table as `nft` lists it.
    var text: String {
        let blocks = sets.map(\.declaration) + chains.map(\.lines)
        return "table \(OwnRules.table) {\n" + blocks.map { $0.joined(separator: "\n") + "\n" }.joined(separator: "\n")
            + "}\n"
    }
}
