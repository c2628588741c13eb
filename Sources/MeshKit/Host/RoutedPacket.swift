import IPVSKit
import Netlink

/// A packet as the routing decision sees it.
struct RoutedPacket: Hashable, Sendable {
    /// The source address; nil if the packet has none yet.
    var source: IPAddress?
    var destination: IPAddress
    /// The interface on which the packet arrives; nil for a packet that this node sends.
    var input: String?
    var mark: UInt32 = 0

    /// The `ip route get` command that shows the routing decision about the packet.
    var question: String {
        "ip route get \(destination)" + (source.map { " from \($0)" } ?? "") + (input.map { " iif \($0)" } ?? "")
            + (mark == 0 ? "" : " mark \(mark)")
    }
}

/// The kernel's routing decision.
enum Routing: Hashable, Sendable {
    case leaves(by: String)
    /// A route or a rule of `ip rule` exists to refuse the packet, or its source is behind another interface.
    case refused
    /// There is no route, or the kernel does not tell.
    case unknown
}

extension RouteClient {
    /// Asks the kernel for the routing decision about a packet (`RTM_GETROUTE`).
    func routing(of packet: RoutedPacket) async throws(NetlinkError) -> Routing {
        var input: Int32?
        if let name = packet.input {
            guard let link = try await link(named: name) else { return .unknown }
            input = link.index
        }
        let output = try await output(
            to: packet.destination.bytes, from: packet.source?.bytes, input: input, mark: packet.mark)
        if output.isRefused { return .refused }
        return output.interface.flatMap(interfaceName).map(Routing.leaves) ?? .unknown
    }
}
