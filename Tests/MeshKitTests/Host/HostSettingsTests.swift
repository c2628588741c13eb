import IPVSKit
import Netlink
import RuleKit
import Testing

@testable import MeshKit

/// Settings and rules of `ip rule` on the way of packets, on a node with clients at up0 and a task behind br0.
@Suite struct HostSettingsTests {
    static let node = NodeFacts(
        addresses: [
            InterfaceAddress(address: "127.0.0.1", prefixLength: 8, interface: "lo"),
            InterfaceAddress(address: "192.168.5.1", prefixLength: 24, interface: "up0"),
            InterfaceAddress(address: "10.0.0.1", prefixLength: 24, interface: "br0"),
        ], bridgePorts: .known(["br0": ["v1": true]]))

    static func settings(
        _ values: [Sysctl: String] = [:], _ routing: @escaping @Sendable (RoutedPacket) -> Routing? = { _ in nil }
    ) -> HostSettings {
        HostSettings(
            ways: { $0.map(Self.way) },
            routings: { $0.map { routing($0) ?? Self.way(to: $0.destination) } },
            setting: { [.ipv4Forwarding: "1"].merging(values) { $1 }[$0] })
    }

    static func way(to address: IPAddress) -> Routing {
        let text = "\(address)"
        return .leaves(by: text.hasPrefix("10.0.0.") ? "br0" : text.hasPrefix("169.254.113.") ? "mesh_sbox" : "up0")
    }

    static func replies(_ settings: HostSettings, to allowed: [IPPrefix] = []) async -> [String] {
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

    /// A rule of `ip rule` may ask for the protocol and the ports of what is forwarded.
    @Test func rulesByPort() async {
        let settings = Self.settings { $0.ports?.source == 80 && $0.ports?.transport == 6 ? .refused : nil }
        #expect(
            await settings.warnings(
                forRepliesOf: "10.0.0.11", from: ["192.168.5.1"], ports: RouteQuestion.Ports(replying: .tcp, from: 80),
                to: [], on: Self.node) == [
                    "replies of 10.0.0.11 do not come through: a route or a rule of this node's forbids it (see `ip route "
                        + "get 192.168.5.2 from 10.0.0.11 iif br0 ipproto tcp sport 80 dport 50000`)"
                ])
        #expect(
            await settings.warnings(
                forRepliesOf: "10.0.0.11", from: ["192.168.5.1"], ports: RouteQuestion.Ports(replying: .udp, from: 80),
                to: [], on: Self.node) == [])
        #expect(RouteQuestion.Ports(replying: .sctp, from: 80) == nil)
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

    /// Clients in a network of the node itself are certain to get no answer without a route; of others nobody knows where
    /// they are.
    @Test func clientsWithoutARoute() async {
        let near = "replies have no route to clients in the network of up0"
        var settings = Self.settings { $0.input == "br0" && $0.destination == "192.168.5.2" ? .noRoute : nil }
        #expect(
            await Self.replies(settings) == ["\(near) (see `ip route get 192.168.5.2 from 10.0.0.11 iif br0`)"])
        settings.links = { $0.map { _ in HostLink(vrf: "vrf1") } }
        #expect(
            await Self.replies(settings) == [
                "\(near), which belongs to the VRF vrf1 (see `ip route get 192.168.5.2 from 10.0.0.11 iif br0`)"
            ])
        let later = Self.settings { $0.source == "192.168.5.1" && $0.destination == "192.168.5.2" ? .noRoute : nil }
        #expect(await Self.replies(later) == ["\(near) (see `ip route get 192.168.5.2 from 192.168.5.1`)"])
        let beyond = Self.settings { $0.destination == "192.0.2.1" ? .noRoute : nil }
        #expect(await Self.replies(beyond) == [])
        var other = Self.settings { $0.destination == "192.168.5.2" ? .leaves(by: "up1") : nil }
        other.links = { $0.map { _ in HostLink(vrf: "vrf1") } }
        #expect(
            await Self.replies(other).first?.hasPrefix(
                "replies to clients in the network of up0 leave by up1: up0 belongs to the VRF vrf1") == true)
        let marked = Self.settings { $0.mark == 0x100 ? .noRoute : nil }
        #expect(
            await marked.warnings(sending: 0x100, to: "10.0.0.11").first?
                .hasPrefix("10.0.0.11 gets nothing: this node has no route for what is marked so") == true)
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
