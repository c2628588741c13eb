import IPVSKit
import Netlink
import RuleKit
import Testing

@testable import MeshKit

/// Settings and rules of `ip rule` on the way of packets, on a node with clients at up0 and a task behind br0.
@Suite struct HostSettingsTests {
    private static let node = NodeFacts(
        addresses: [
            InterfaceAddress(address: "127.0.0.1", prefixLength: 8, interface: "lo"),
            InterfaceAddress(address: "192.168.5.1", prefixLength: 24, interface: "up0"),
            InterfaceAddress(address: "10.0.0.1", prefixLength: 24, interface: "br0"),
        ], bridgePorts: .known(["br0": ["v1": true]]))

    private static func settings(
        _ values: [Sysctl: String] = [:], _ routing: @escaping @Sendable (RoutedPacket) -> Routing? = { _ in nil }
    ) -> HostSettings {
        HostSettings(
            ways: { $0.map(Self.way) },
            routings: { $0.map { routing($0) ?? Self.way(to: $0.destination) } },
            setting: { [.ipv4Forwarding: "1"].merging(values) { $1 }[$0] })
    }

    private static func way(to address: IPAddress) -> Routing {
        let text = "\(address)"
        return .leaves(by: text.hasPrefix("10.0.0.") ? "br0" : text.hasPrefix("169.254.113.") ? "mesh_sbox" : "up0")
    }

    private static func replies(_ settings: HostSettings, to allowed: [IPPrefix] = []) async -> [String] {
        await settings.warnings(
            forRepliesOf: "10.0.0.11", from: ["127.0.0.1", "192.168.5.1", "10.0.0.1"], to: allowed, on: node)
    }

    @Test func nothingIsSaidWhereNothingIsInTheWay() async {
        #expect(await Self.replies(Self.settings()) == [])
        #expect(await Self.settings().warnings(sending: 0x100, to: "10.0.0.11") == [])
        #expect(
            Self.settings([.dropPacket: "0", .dropEntry: "0", .trackedFlows: "9", .mostTrackedFlows: "0"]).warnings()
                == [])
        // They stand by.
        #expect(Self.settings([.dropPacket: "1", .dropEntry: "1"]).warnings() == [])
        // No route is no refusal.
        #expect(await Self.replies(Self.settings { _ in .unknown }) == [])
    }

    @Test func repliesThatAreNotForwarded() async {
        let all = Self.settings { $0.input == "br0" ? .refused : nil }
        #expect(
            await Self.replies(all) == [
                "replies of 10.0.0.11 do not come through: a route or a rule of this node's forbids it "
                    + "(see `ip route get 192.168.5.2 from 10.0.0.11 iif br0`)"
            ])
        let some = Self.settings { $0.input == "br0" && $0.destination == "192.0.2.1" ? .refused : nil }
        #expect(await Self.replies(some).first?.hasPrefix("some replies of 10.0.0.11 do not come through") == true)
        // Those who may come are not concerned.
        #expect(await Self.replies(some, to: [IPPrefix("192.168.5.0", length: 24)]) == [])
        let off = Self.settings([.ipv4Forwarding: "0"]) { _ in .refused }
        #expect(await Self.replies(off) == [], "what is not forwarded at all is said elsewhere")
    }

    /// IPVS has replies routed once more, with the published address, unless it is told not to.
    @Test func repliesAreRoutedOnceMore() async {
        let astray = Self.settings { $0.input == "br0" ? .leaves(by: "wg0") : nil }
        #expect(await Self.replies(astray) == [])
        let own = Self.settings { $0.source == "192.168.5.1" ? .leaves(by: "wg0") : nil }
        #expect(
            await Self.replies(own) == [
                "replies to clients in the network of up0 leave by wg0: a rule of this node's has it so "
                    + "(see `ip route get 192.168.5.2 from 192.168.5.1`)"
            ])
        let refused = Self.settings { $0.source == "192.168.5.1" && $0.input == nil ? .refused : nil }
        #expect(await Self.replies(refused).first?.hasPrefix("some replies to clients do not come through") == true)
        let once = Self.settings([.rerouting: "0"]) { $0.input == "br0" ? .leaves(by: "wg0") : nil }
        #expect(
            await Self.replies(once).first?.hasPrefix("replies to clients in the network of up0 leave by wg0") == true)
    }

    @Test func packetsWithOurMark() async {
        let refused = Self.settings { $0.mark == 0x100 ? .refused : nil }
        #expect(
            await refused.warnings(sending: 0x100, to: "10.0.0.11") == [
                "10.0.0.11 gets nothing: a rule of this node's forbids what is marked so "
                    + "(see `ip route get 10.0.0.11 mark 256`)"
            ])
        #expect(await refused.warnings(sending: 0x101, to: "10.0.0.11") == [])
        let astray = Self.settings { $0.mark == 0x100 ? .leaves(by: "wg0") : nil }
        #expect(
            await astray.warnings(sending: 0x100, to: "10.0.0.11").first?
                .hasPrefix("packets for 10.0.0.11 leave by wg0, and not by br0") == true)
    }

    @Test func whatIPVSAndConntrackDrop() async {
        #expect(
            Self.settings([.dropPacket: "3", .dropRate: "10"]).warnings() == [
                "IPVS drops one of 10 new connections: net/ipv4/vs/drop_packet is 3",
                "  type:  sysctl -w net/ipv4/vs/drop_packet=0",
            ])
        #expect(Self.settings([.dropEntry: "2"]).warnings().count == 2)
        #expect(
            Self.settings([.trackedFlows: "100", .mostTrackedFlows: "100"]).warnings().first
                == "new connections are dropped: conntrack tracks 100, and net/netfilter/nf_conntrack_max is 100")
    }

    private static func answering(
        from address: IPAddress?, _ settings: HostSettings, isElsewhere: Bool = false, to allowed: [IPPrefix] = []
    ) async -> [String] {
        await settings.warnings(answeringFrom: address, isElsewhere: isElsewhere, to: allowed, on: node)
    }

    /// Answers to hosts beyond the networks of the node leave by up1, except those from 192.168.5.1 where a rule says so.
    private static func strict(_ value: String = "1", withRule: Bool = false, leadsOut: Bool = true) -> HostSettings {
        var settings = Self.settings([.reversePathFilter("all"): "0", .reversePathFilter("up0"): value]) { packet in
            guard packet.destination == "192.0.2.1" || packet.destination == "203.0.113.1" else { return nil }
            return .leaves(by: withRule && packet.source == "192.168.5.1" ? "up0" : "up1")
        }
        settings.leadOut = { $0.map { leadsOut && $0 == "up0" } }
        return settings
    }

    /// The address from which the node answers decides with the rules of `ip rule`; for the sandbox it is the sandbox's.
    @Test func reversePathsByRule() async {
        #expect(await Self.answering(from: "192.168.5.1", Self.strict(withRule: true)) == [])
        #expect(await Self.answering(from: nil, Self.strict(withRule: true)) == [])
        #expect(await Self.answering(from: "192.168.5.1", Self.strict("2")) == [])
        let lines = [
            "hosts beyond the network of up0 cannot reach 192.168.5.1: this node would answer them by up1, and "
                + "net/ipv4/conf/up0/rp_filter is 1", "  type:  sysctl -w net/ipv4/conf/up0/rp_filter=2",
        ]
        #expect(await Self.answering(from: "192.168.5.1", Self.strict()) == lines)
        #expect(await Self.answering(from: nil, Self.strict()) == lines)
        #expect(await Self.answering(from: nil, Self.strict(withRule: true), isElsewhere: true) == lines)
        // Where no default route leads out, nobody is expected beyond the network, unless the address was chosen.
        #expect(await Self.answering(from: nil, Self.strict(leadsOut: false)) == [])
        #expect(await Self.answering(from: "192.168.5.1", Self.strict(leadsOut: false)) == lines)
    }

    /// Those who may come count, and an interface behind which nobody is does not.
    @Test func reversePathsOfThoseWhoMayCome() async {
        let (near, far) = (IPPrefix("192.168.5.0", length: 24), IPPrefix("203.0.113.0", length: 24))
        #expect(await Self.answering(from: "192.168.5.1", Self.strict(), to: [near]) == [])
        #expect(
            await Self.answering(from: "192.168.5.1", Self.strict(), to: [near, far]).first?
                .hasPrefix("hosts beyond the network of up0") == true)
        #expect(
            await Self.answering(from: "192.168.5.1", Self.strict(), to: [far, IPPrefix("198.51.100.0", length: 24)])
                .first?.hasPrefix("some hosts beyond the network of up0") == true)
        var settings = Self.strict()
        settings.links = { $0.map { _ in HostLink(hasHosts: false) } }
        #expect(await Self.answering(from: "192.168.5.1", settings) == [])
        settings.links = { $0.map { _ in HostLink(vrf: "vrf1") } }
        #expect(await Self.answering(from: "192.168.5.1", settings) == [])
    }

    /// IPVS that stands by for another host balances nothing if it is told so.
    @Test func aBackup() async {
        for (value, isBackup) in [("1", true), ("1", false), ("0", true), (nil, true)] as [(String?, Bool)] {
            var settings = Self.settings(value.map { [Sysctl.backupOnly: $0] } ?? [:])
            settings.isBackup = { isBackup }
            let lines = await settings.warningsOfBackup()
            #expect(lines.isEmpty == (value != "1" || !isBackup))
            if let last = lines.last { #expect(last == "  type:  sysctl -w net/ipv4/vs/backup_only=0") }
        }
    }

    /// conntrack must not forget a connection before IPVS does.
    @Test func idleConnections() {
        for value in ["432000", "7500", "no number"] {
            #expect(Self.settings([.idleFlows: value]).warningsOfIdleConnections() == [])
        }
        #expect(Self.settings().warningsOfIdleConnections() == [])
        let lines = Self.settings([.idleFlows: "600"]).warningsOfIdleConnections()
        #expect(lines.first?.hasPrefix("a TCP connection that is idle for more than 600 seconds is lost") == true)
        #expect(lines.last == "  type:  sysctl -w net/netfilter/nf_conntrack_tcp_timeout_established=7500")
    }

    private static func toSandbox(_ settings: HostSettings, mark: UInt32 = 0x100) async -> [String] {
        await settings.warnings(
            onTheWayTo: PacketWay.Sandbox(address: "169.254.113.6", interface: "mesh_sbox"), marked: mark, from: [],
            on: node)
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

    /// Nobody is behind an interface that is switched off.
    @Test func anInterfaceThatIsOff() async {
        var settings = Self.settings { $0.destination == "192.168.5.2" ? .leaves(by: "wg0") : nil }
        #expect(await Self.replies(settings) != [])
        settings.links = { $0.map { HostLink(hasHosts: $0 != "up0") } }
        #expect(await Self.replies(settings) == [])
    }

    /// Each thing is asked once, whatever the answer is, and new things at once.
    @Test func whatWasAskedIsRemembered() async {
        let asked = Locked<[Set<IPAddress>]>([])
        let settings = HostSettings(
            ways: { addresses in
                asked.withLock { $0.append(Set(addresses)) }
                return addresses.map { $0 == "10.0.0.13" ? .refused : .unknown }
            }, routings: { $0.map { _ in .unknown } }, setting: { _ in nil }
        ).remembering()
        for _ in 1...3 { #expect(await settings.interface("10.0.0.11") == nil) }
        let ways = await settings.ways(["10.0.0.13", "10.0.0.11", "10.0.0.12", "10.0.0.13"])
        #expect(ways == [.refused, .unknown, .unknown, .refused])
        #expect(asked.withLock { $0 } == [["10.0.0.11"], ["10.0.0.12", "10.0.0.13"]])
    }
}
