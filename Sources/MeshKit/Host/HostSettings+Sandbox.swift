import IPVSKit
import RuleKit

/// Warnings about routes and settings on the way to the sandbox and back. The node forwards both directions.
extension HostSettings {
    /// - Parameters:
    ///   - mark: the mark that packets to the sandbox have.
    ///   - allowed: the networks from which clients may connect; empty for everywhere.
    func warnings(
        onTheWayTo sandbox: PacketWay.Sandbox, marked mark: UInt32, from allowed: [IPPrefix], on node: NodeFacts
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
        warnings += await self.warnings(forwardingTo: sandbox, marked: mark, from: allowed, on: node)
        return await warnings + self.warnings(forRepliesOf: address, from: [], to: allowed, on: node)
    }

    /// Warnings about interfaces that forward no packets of clients, and about routes and rules that forbid them.
    private func warnings(
        forwardingTo sandbox: PacketWay.Sandbox, marked mark: UInt32, from allowed: [IPPrefix], on node: NodeFacts
    ) async -> [String] {
        let family = sandbox.address.family
        guard setting(.forwardingOfAll(family)) == "1" else { return [] }
        let clients = await clients(family, allowed, besides: sandbox.interface, on: node)
        var off: Set<String> = []
        var packets: [RoutedPacket] = []
        for (client, way) in zip(clients, await ways(clients)) {
            let near = node.networks(of: client).first { $0.prefix.length != 0 }?.interface
            guard let interface = near ?? way.interface else { continue }
            if !forwards(interface, family) {
                off.insert(interface)
            } else {
                packets.append(
                    RoutedPacket(source: client, destination: sandbox.address, input: interface, mark: mark))
            }
        }
        let warnings = off.sorted().flatMap { interface in
            [
                "packets of clients that come by \(interface) do not reach \(sandbox.address): \(interface) does not "
                    + "forward (\(Sysctl.forwarding(interface)) is 0)",
                SurveyText.advice("sysctl -w \(Sysctl.forwarding(interface))=1"),
            ]
        }
        return await warnings + [refusal("packets of clients", packets)].compactMap(\.self)
    }
}
