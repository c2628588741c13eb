import IPVSKit
import Netlink
import RuleKit
import Testing

@testable import MeshKit

/// A host with two uplinks, which sends what comes from the address of the second one by it: `from 198.51.100.2 lookup 101`.
extension HostSettingsTests {
    private static let hostOfUplinks = NodeFacts(addresses: [
        InterfaceAddress(address: "127.0.0.1", prefixLength: 8, interface: "lo"),
        InterfaceAddress(address: "192.168.5.1", prefixLength: 24, interface: "up1"),
        InterfaceAddress(address: "198.51.100.2", prefixLength: 24, interface: "up2"),
        InterfaceAddress(address: "169.254.113.5", prefixLength: 30, interface: "mesh_sbox"),
    ])

    private static let bySource = PolicyRule(
        source: .init(address: [198, 51, 100, 2], length: 32), table: 101)

    /// - Parameters:
    ///   - byDefault: where everything leaves that no rule sends by up2.
    ///   - marks: the marks that have a rule to the table of up2.
    private static func withUplinks(
        _ policies: [PolicyRule] = [bySource], byDefault: Routing = .leaves(by: "up1"), marks: Set<UInt32> = []
    ) -> HostSettings {
        var settings = HostSettings(
            ways: { $0.map { _ in byDefault } },
            routings: { packets in
                packets.map {
                    $0.source == "198.51.100.2" || marks.contains($0.mark) ? .leaves(by: "up2") : byDefault
                }
            },
            setting: { [.ipv4Forwarding: "1", .forwarding("mesh_sbox"): "1"][$0] })
        settings.policies = { $0.map { $0 == .ipv4 ? policies : [] } }
        return settings
    }

    /// Rules that cannot be read are not taken for none.
    @Test func routingRulesThatCannotBeRead() async {
        var settings = Self.withUplinks()
        settings.policies = { $0.map { _ in nil } }
        #expect(await Self.uplinks(settings) == ["could not look at the routing rules of IPv4"])
    }

    private static func uplinks(
        _ settings: HostSettings, at address: IPAddress? = nil, to allowed: [IPPrefix] = [],
        _ tool: RuleTool = .nftables
    ) async -> [String] {
        await settings.warnings(
            choosingUplinksOf: PacketWay.Sandbox(address: "169.254.113.6", interface: "mesh_sbox"), from: address,
            ports: RouteQuestion.Ports(replying: .tcp, from: 1080), to: allowed, on: hostOfUplinks, tool)
    }

    private static let said =
        "replies from 198.51.100.2 to hosts beyond this node's networks leave by up1, and not by up2, where a rule of this "
        + "node's sends what comes from 198.51.100.2: those of the sandbox are routed before they get that address "
        + "(see `ip route get 192.0.2.1 from 169.254.113.6 iif mesh_sbox` and "
        + "`ip route get 192.0.2.1 from 198.51.100.2`)"

    @Test func repliesByTheWrongUplink() async {
        let lines = await Self.uplinks(Self.withUplinks())
        #expect(
            lines == [
                Self.said,
                "  type:  nft 'table inet uplinks { chain uplink101 { type filter hook prerouting priority -151; "
                    + "iifname \"mesh_sbox\" ct direction reply ct original ip daddr 198.51.100.2 meta mark set 101; }; }'",
                "  type:  ip rule add fwmark 101 lookup 101",
            ])
        #expect(await Self.uplinks(Self.withUplinks(), at: "198.51.100.2") == lines)
        #expect(
            await Self.uplinks(Self.withUplinks(), .iptables) == [
                Self.said,
                "  type:  iptables -t mangle -A PREROUTING -i mesh_sbox -m conntrack --ctdir REPLY "
                    + "--ctorigdst 198.51.100.2 -j MARK --set-mark 101",
                "  type:  ip rule add fwmark 101 lookup 101",
            ])
        #expect(
            await Self.uplinks(Self.withUplinks(byDefault: .noRoute)).first?.hasPrefix(
                "replies from 198.51.100.2 to hosts beyond this node's networks find no route, not even the one by up2")
                == true)
    }

    /// What needs no rule, or has what was said to type.
    @Test func repliesByTheRightUplink() async {
        #expect(await Self.uplinks(Self.withUplinks(), at: "192.168.5.1") == [])
        #expect(await Self.uplinks(Self.withUplinks([])) == [], "no rule asks for the address")
        #expect(await Self.uplinks(Self.withUplinks(byDefault: .leaves(by: "up2"))) == [])
        #expect(await Self.uplinks(Self.withUplinks(byDefault: .unknown)) == [], "a route with several interfaces")
        let marked = PolicyRule(mark: 101, table: 101)
        #expect(await Self.uplinks(Self.withUplinks([marked, Self.bySource], marks: [101])) == [])
        // A mark of somebody else's leads elsewhere.
        let other = PolicyRule(mark: 101, table: 7)
        let lines = await Self.uplinks(Self.withUplinks([other, Self.bySource]))
        #expect(lines.first == Self.said)
        #expect(lines.last == "  type:  ip rule add fwmark 102 lookup 101")
        // Clients in a network of the node's are not beyond.
        #expect(await Self.uplinks(Self.withUplinks(), to: [IPPrefix("192.168.5.0", length: 24)]) == [])
        #expect(await Self.uplinks(Self.withUplinks(), to: [IPPrefix("203.0.113.0", length: 24)]) != [])
        var off = Self.withUplinks()
        off.setting = { _ in nil }
        #expect(await Self.uplinks(off) == [])
    }

    /// Marks of published ports begin at 0x100, and tables may have greater numbers.
    @Test(arguments: [(100, "100"), (255, "255"), (256, "1"), (27905, "110")] as [(UInt32, String)])
    func theMarkOfATable(table: UInt32, mark: String) async {
        var rule = Self.bySource
        rule.table = table
        #expect(
            await Self.uplinks(Self.withUplinks([rule])).last == "  type:  ip rule add fwmark \(mark) lookup \(table)")
    }
}
