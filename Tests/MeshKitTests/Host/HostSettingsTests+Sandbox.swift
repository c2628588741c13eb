import IPVSKit
import Netlink
import RuleKit
import Testing

@testable import MeshKit

/// Routes and settings on the way to the sandbox and back.
extension HostSettingsTests {
    private static func toSandbox(
        _ settings: HostSettings, mark: UInt32 = 0x100, ports: RouteQuestion.Ports? = nil
    ) async -> [String] {
        await settings.warnings(
            onTheWayTo: PacketWay.Sandbox(address: "169.254.113.6", interface: "mesh_sbox"), marked: mark,
            ports: ports, from: [], on: node)
    }

    /// A node with the link to the sandbox.
    private static func settingsWithSandbox(
        _ values: [Sysctl: String] = [:], _ routing: @escaping @Sendable (RoutedPacket) -> Routing? = { _ in nil }
    ) -> HostSettings {
        settings([.forwarding("mesh_sbox"): "1"].merging(values) { $1 }, routing)
    }

    @Test func theWayToTheSandbox() async {
        #expect(await Self.toSandbox(Self.settingsWithSandbox()) == [])
        #expect(
            await Self.toSandbox(Self.settings { _ in .refused }) == [], "there is no way before the link is made")
        let off = Self.settingsWithSandbox([.forwarding("up0"): "0"])
        #expect(
            await Self.toSandbox(off) == [
                "packets of clients that come by up0 do not reach 169.254.113.6: up0 does not forward "
                    + "(net/ipv4/conf/up0/forwarding is 0)", "  type:  sysctl -w net/ipv4/conf/up0/forwarding=1",
            ])
        let marked = Self.settingsWithSandbox { $0.mark == 0x100 && $0.input == nil ? .refused : nil }
        #expect(
            await Self.toSandbox(marked).first
                == "169.254.113.6 gets nothing: a rule of this node's forbids what is marked so "
                + "(see `ip route get 169.254.113.6 mark 256`)")
        #expect(await Self.toSandbox(marked, mark: 0) == [])
        let coming = Self.settingsWithSandbox { $0.input == "up0" ? .refused : nil }
        #expect(
            await Self.toSandbox(coming) == [
                "packets of clients do not come through: a route or a rule of this node's forbids it "
                    + "(see `ip route get 169.254.113.6 from 192.168.5.2 iif up0 mark 256`)"
            ])
        let replies = Self.settingsWithSandbox { $0.input == "mesh_sbox" ? .refused : nil }
        #expect(
            await Self.toSandbox(replies) == [
                "replies of 169.254.113.6 do not come through: a route or a rule of this node's forbids it "
                    + "(see `ip route get 192.168.5.2 from 169.254.113.6 iif mesh_sbox`)"
            ])
    }

    /// Rules may ask for the ports of either direction, and an uplink may have no route there.
    @Test func theWayToTheSandboxByPort() async {
        let toSandbox = Self.settingsWithSandbox { $0.input == "up0" && $0.source == "192.168.5.2" ? .noRoute : nil }
        #expect(
            await Self.toSandbox(toSandbox) == [
                "packets of clients that come by up0 have no route to 169.254.113.6 "
                    + "(see `ip route get 169.254.113.6 from 192.168.5.2 iif up0 mark 256`)"
            ])
        let byPort = Self.settingsWithSandbox { $0.ports?.source == 2080 ? .refused : nil }
        #expect(
            await Self.toSandbox(byPort, ports: RouteQuestion.Ports(replying: .tcp, from: 2080)).first?
                .hasPrefix("replies of 169.254.113.6 do not come through") == true)
        let coming = Self.settingsWithSandbox { $0.ports?.destination == 2080 ? .refused : nil }
        #expect(
            await Self.toSandbox(coming, ports: RouteQuestion.Ports(replying: .tcp, from: 2080)).first?
                .hasPrefix("packets of clients do not come through") == true)
    }
}
