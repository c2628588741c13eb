import IPVSKit
import RuleKit

/// What keeps nodes from each other.
extension HostSurvey {
    /// Warnings about everything that keeps the packets of overlay networks from this node, or from the others.
    ///
    /// Each direction is a flow of its own, so that an accept of established connections never lets them through.
    func warnings(onOverlaysOf request: MeshRequest) async -> [String] {
        guard let own = request.ownNode?.address else { return [] }
        let peers = request.peers.values.filter { $0.family == own.family }.sorted()
        guard !peers.isEmpty else { return [] }
        var warnings: [String] = []
        for (name, network) in request.ownNetworks.sorted(by: { $0.key < $1.key }) {
            warnings += await self.warnings(receiving: name, network.port, at: own, from: peers)
            warnings += await self.warnings(sending: name, network.port, from: own, to: peers)
        }
        return warnings
    }

    private func warnings(
        receiving network: String, _ port: UInt16, at own: IPAddress, from peers: [IPAddress]
    ) async -> [String] {
        guard !rules.tables.isEmpty else { return [] }
        var answer = await Firewall(rules).answer(
            publishing: .udp, ports: port...port, at: [own], allowed: peers.map { IPPrefix($0) },
            families: [own.family])
        // The kernel takes these packets, whatever conntrack knows of them.
        answer?.influences.removeAll { $0.kind != .rewritten }
        return SurveyText.lines(
            "the other nodes cannot reach this one on the network \(network)", "packets for \(port)/udp", answer)
    }

    private func warnings(
        sending network: String, _ port: UInt16, from own: IPAddress, to peers: [IPAddress]
    ) async -> [String] {
        let source = node.isOwn(own) ? own : nil
        var concerned: [[String]] = []
        for (peer, way) in zip(peers, await settings.ways(peers)) {
            let failure = "\(peer) gets nothing of the network \(network)"
            var lines = await settings.warnings(carryingTo: peer, from: source, port: port, by: way, failure)
            if !rules.tables.isEmpty {
                lines += SurveyText.lines(
                    failure, "packets of the network \(network) for \(peer)",
                    await Firewall(rules).answer(carryingTo: peer, from: own, port: port, by: way.interface))
            }
            if !lines.isEmpty { concerned.append(lines) }
        }
        return SurveyText.abridged(concerned, "node")
    }
}
