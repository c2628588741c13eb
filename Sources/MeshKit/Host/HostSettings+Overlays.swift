import IPVSKit
import Netlink

/// Warnings about routes and routing rules between nodes.
extension HostSettings {
    /// A warning if a route or a routing rule keeps the packets that carry an overlay network from another node.
    ///
    /// - Parameters:
    ///   - own: the address from which this node sends them; nil if it does not have it yet.
    ///   - way: where other packets for that node leave.
    ///   - failure: what becomes of the packets otherwise, such as `192.168.5.2 gets nothing of the network ingress`.
    func warnings(
        carryingTo peer: IPAddress, from own: IPAddress?, port: UInt16, by way: Routing, _ failure: String
    ) async -> [String] {
        let packet = RoutedPacket(source: own, destination: peer, ports: RouteQuestion.Ports(carryingTo: port))
        switch await routing(packet) {
        case .refused:
            return ["\(failure): a route or a rule of this node's forbids it (see `\(packet.question)`)"]
        // A node that nothing leads to may be a node that is not there yet.
        case .noRoute where way.interface != nil:
            return ["\(failure): this node has no route for it (see `\(packet.question)`)"]
        case .leaves, .noRoute, .unknown: return []
        }
    }
}
