import IPVSKit
import Netlink
import Testing

@testable import MeshKit

/// Routes and routing rules on the way to other nodes.
extension HostSettingsTests {
    private static func carrying(
        by way: Routing = .leaves(by: "up0"), _ routing: @escaping @Sendable (RoutedPacket) -> Routing?
    ) async -> [String] {
        await settings([:], routing).warnings(
            carryingTo: "192.168.5.2", from: "192.168.5.1", port: 4789, by: way, "192.168.5.2 gets nothing")
    }

    /// Routing rules may ask for the port.
    @Test func theWayToAnotherNode() async {
        let question = "(see `ip route get 192.168.5.2 from 192.168.5.1 ipproto udp sport 50000 dport 4789`)"
        #expect(await Self.carrying { _ in nil } == [])
        #expect(
            await Self.carrying { $0.ports?.destination == 4789 ? .refused : nil }
                == ["192.168.5.2 gets nothing: a route or a rule of this node's forbids it \(question)"])
        #expect(
            await Self.carrying { $0.ports?.destination == 4789 ? .noRoute : nil }
                == ["192.168.5.2 gets nothing: this node has no route for it \(question)"])
        #expect(await Self.carrying(by: .noRoute) { _ in .noRoute } == [], "nobody knows whether it is there yet")
        #expect(await Self.carrying { _ in .unknown } == [])
    }
}
