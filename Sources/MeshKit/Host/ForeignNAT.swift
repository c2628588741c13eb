package import IPVSKit

/// A rule of somebody else's that sends packets for a published port elsewhere, before the mesh sees them.
package struct ForeignNAT: Hashable, Sendable, CustomStringConvertible {
    /// The rule.
    package var rule: HostRuleSite
    /// `172.17.0.2:80`, `port 80 of this node`.
    package var leadsTo: String
    /// Nil where it takes every packet for the port; otherwise a rule on the way to it, or itself, that asks for
    /// what depends on the packet.
    package var condition: String?

    /// `iptables nat PREROUTING: -A DOCKER … -j DNAT …`.
    package var description: String { rule.description }

    /// The rules that translate packets for the ports, the first of each table; none where all is well, or where
    /// nothing could be read.
    ///
    /// - Parameter addresses: those that the ports are published on: the node's own, or the one they are bound to.
    package static func find(
        publishing transport: TransportProtocol, ports: ClosedRange<UInt16>, at addresses: Set<IPAddress>,
        in rules: HostRules
    ) -> [ForeignNAT] {
        var found: [ForeignNAT] = []
        for table in rules.tables {
            for base in table.bases where base.isNAT && base.hook == "prerouting" {
                for family in table.families.sorted() {
                    let destinations = addresses.filter { $0.family == family }
                    guard !destinations.isEmpty else { continue }
                    found += table.representatives(of: ports).sorted().compactMap { port in
                        translation(
                            of: Packet(
                                hook: .prerouting, family: family, transport: transport, destinationPort: port,
                                destinations: destinations, state: .new),
                            from: base, in: table)
                    }
                }
            }
        }
        var seen: Set<HostRuleSite> = []
        return found.filter { seen.insert($0.rule).inserted }
    }

    private static func translation(
        of packet: Packet, from base: RuleTable.BaseChain, in table: RuleTable
    ) -> ForeignNAT? {
        for ending in ChainWalk.endings(of: packet, from: base, in: table) {
            guard case .translate(let target) = ending.end else { continue }
            return ForeignNAT(
                rule: HostRuleSite(tool: table.tool, table: table.name, baseChain: base.name, text: ending.rule),
                leadsTo: target, condition: ending.cause)
        }
        return nil
    }
}
