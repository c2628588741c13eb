import IPVSKit
import Netlink
import RuleKit

/// Warnings about routes and settings on the way to the sandbox and back. The node forwards both directions.
extension HostSettings {
    /// - Parameters:
    ///   - mark: the mark that packets to the sandbox have.
    ///   - ports: the ports of a reply as it comes from the sandbox.
    ///   - allowed: the networks from which clients may connect; empty for everywhere.
    func warnings(
        onTheWayTo sandbox: PacketWay.Sandbox, marked mark: UInt32, ports: RouteQuestion.Ports? = nil,
        from allowed: [IPPrefix], on node: NodeFacts
    ) async -> [String] {
        // Before a pass has made the link, other routes lead to its addresses.
        guard setting(.forwarding(sandbox.interface)) != nil else { return [] }
        let address = sandbox.address
        let way = await ways([address]).first ?? .unknown
        if case .leaves(let other) = way, other != sandbox.interface {
            return [
                "packets for \(address) leave by \(other), and not by \(sandbox.interface), which leads there "
                    + "(see `\(RoutedPacket(destination: address).question)`)"
            ]
        }
        var warnings = self.warnings(for: address, by: way)
        if mark != 0 { warnings += await self.warnings(sending: mark, to: address) }
        let coming = ports.map { RouteQuestion.Ports($0.transport, from: $0.destination, to: $0.source) }
        warnings += await self.warnings(forwardingTo: sandbox, marked: mark, ports: coming, from: allowed, on: node)
        return await warnings + self.warnings(forRepliesOf: address, from: [], ports: ports, to: allowed, on: node)
    }

    /// Warnings about interfaces that forward no packets of clients, and about routes and rules that forbid them.
    private func warnings(
        forwardingTo sandbox: PacketWay.Sandbox, marked mark: UInt32, ports: RouteQuestion.Ports?,
        from allowed: [IPPrefix], on node: NodeFacts
    ) async -> [String] {
        let family = sandbox.address.family
        guard setting(.forwardingOfAll(family)) == "1" else { return [] }
        let clients = await clients(family, allowed, besides: sandbox.interface, on: node)
        var off: Set<String> = []
        var packets: [RoutedPacket] = []
        for (client, way) in zip(clients, await ways(clients)) {
            guard let interface = near(client, node) ?? way.interface else { continue }
            if !forwards(interface, family) {
                off.insert(interface)
            } else {
                packets.append(
                    RoutedPacket(
                        source: client, destination: sandbox.address, input: interface, mark: mark, ports: ports))
            }
        }
        var warnings = off.sorted().flatMap { interface in
            [
                "packets of clients that come by \(interface) do not reach \(sandbox.address): \(interface) does not "
                    + "forward (\(Sysctl.forwarding(interface)) is 0)",
                SurveyText.advice("sysctl -w \(Sysctl.forwarding(interface))=1"),
            ]
        }
        if let warning = await refusal("packets of clients", packets) { warnings.append(warning) }
        for packet in packets {
            guard let interface = packet.input, await routing(packet) == .noRoute else { continue }
            let clause = await vrf(of: interface).map { ", which belongs to the VRF \($0)" } ?? ""
            warnings.append(
                "packets of clients that come by \(interface)\(clause) have no route to \(sandbox.address) "
                    + "(see `\(packet.question)`)")
        }
        return warnings
    }
}
