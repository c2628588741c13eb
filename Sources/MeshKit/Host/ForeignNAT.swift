package import IPVSKit
package import RuleKit

/// A rule of another program that sends packets for a published port elsewhere before the mesh sees them.
package struct ForeignNAT: Hashable, Sendable, CustomStringConvertible {
    /// The rule.
    package var rule: HostRuleSite
    /// The destination in words: `172.17.0.2:80`, `port 80 of this node`.
    package var leadsTo: String
    /// The rule, perhaps this one, whose match depends on unknown properties of the packet. Nil if every packet for the
    /// port is translated.
    package var condition: String?

    /// `iptables nat PREROUTING: -A DOCKER … -j DNAT …`.
    package var description: String { rule.description }

    /// The rules that translate packets for the ports, the first of each chain. Empty if there are none, or if no rules
    /// could be read.
    ///
    /// - Parameters:
    ///   - addresses: the addresses at which the ports are published: all of the node's own, or a single one.
    ///   - allowed: the networks from which clients may connect; empty for everywhere.
    package static func find(
        publishing transport: TransportProtocol, ports: ClosedRange<UInt16>, at addresses: Set<IPAddress>,
        allowed: [IPPrefix] = [], in rules: HostRules
    ) async -> [ForeignNAT] {
        let listening = PacketWay.Listening(
            transport: transport, ports: ports, translated: ports, addresses: addresses, allowed: allowed)
        let parts = AddressFamily.allCases.flatMap { PacketWay.arriving(listening, $0, withLoopback: true) }
        var found: [ForeignNAT] = []
        for table in rules.tables {
            for base in table.bases {
                for part in parts where table.families.contains(part.packet.family) && part.meets(base, of: table) {
                    found += await part.packets(toldApartBy: table, in: rules).compactMap {
                        translation(of: $0, from: base, in: table)
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
        for ending in ChainWalk.walk(packet, from: base, in: table).endings {
            guard case .translate(let target) = ending.end else { continue }
            let device = base.devices.isEmpty ? nil : "the packet comes by \(base.devices.joined(separator: " or "))"
            return ForeignNAT(
                rule: HostRuleSite(base, in: table, ending.rule), leadsTo: target,
                condition: ending.cause?.rule.description ?? device)
        }
        return nil
    }
}
