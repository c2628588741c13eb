import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// The ways of a port that is balanced in the sandbox, at the same hooks as those of other ports.
extension FirewallTests {
    private static let sandbox = PacketWay.Sandbox(address: "169.254.113.6", interface: "mesh_sbox")

    static func sandboxLines(_ rules: HostRules, isFoundByMark: Bool = true) async -> [String] {
        let listening = PacketWay.Listening(
            transport: .tcp, ports: 2080...2080, translated: 2080...2080, addresses: ["192.168.5.1", "fd00::1"],
            mark: isFoundByMark ? 0x100 : 0, isFoundByMark: isFoundByMark)
        let arriving = await Firewall(rules).answer(forwardingTo: sandbox, listening)
        let replied = await Firewall(rules).answer(repliesOf: sandbox, listening)
        let mismatch = ZoneMismatch(arriving?.zonings ?? [], replied?.zonings ?? [], .ipv4)
        return SurveyText.lines("closed", "packets", arriving) + SurveyText.lines("unanswered", "replies", replied)
            + SurveyText.lines("packets", "replies", mismatch, isMasqueraded: true)
    }

    private static func rule(_ statements: String...) -> String { statements.joined(separator: ", ") }

    private static func tcp(_ field: String, _ port: Int) -> String {
        #"{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "\#(field)"}}, "right": \#(port)}}"#
    }

    private static func ip(_ field: String, _ address: String) -> String {
        #"{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "\#(field)"}}, "right": "\#(address)"}}"#
    }

    private static func to(_ address: String) -> String { rule(tcp("dport", 2080), ip("daddr", address)) }
    private static func from(_ address: String) -> String { rule(tcp("sport", 2080), ip("saddr", address)) }

    private static func meta(_ key: String, _ value: String) -> String {
        #"{"match": {"op": "==", "left": {"meta": {"key": "\#(key)"}}, "right": "\#(value)"}}"#
    }

    private static let drop = #"{"drop": null}"#
    private static let setMark = #"{"mangle": {"key": {"meta": {"key": "mark"}}, "value": 7}}"#
    private static let setZone = #"{"mangle": {"key": {"ct": {"key": "zone"}}, "value": 5}}"#

    /// A chain, and the lines that are said of it; none where it is in nobody's way.
    @Test(
        arguments: [
            (
                nft("ip", "prerouting", -300, rule(tcp("dport", 2080), drop)),
                [
                    "closed: dropped by nft ip t c: tcp dport 2080 drop",
                    "  type:  nft insert rule ip t c tcp dport 2080 accept",
                ]
            ),
            (
                nft("ip", "prerouting", -300, rule(tcp("dport", 2080), #"{"notrack": null}"#)),
                [
                    "packets are not tracked by conntrack", "  type:  nft insert rule ip t c tcp dport 2080 accept",
                ]
            ),
            (
                nft("ip", "prerouting", -140, setMark),
                [
                    "packets get another mark in the place of ours",
                    "  type:  nft insert rule ip t c tcp dport 2080 accept",
                ]
            ),
            // Our rules have found them by then.
            (nft("ip", "prerouting", 0, setMark), []),
            (nft("ip", "forward", 0, setMark), []),
            // Their destination is the sandbox from the priority of nat on, and no address of the node.
            (nft("ip", "prerouting", -150, rule(to("192.168.5.1"), drop)), ["closed: dropped"]),
            (nft("ip", "prerouting", 0, rule(to("192.168.5.1"), drop)), []),
            (nft("ip", "prerouting", 0, rule(to("169.254.113.6"), drop)), ["closed: dropped"]),
            (nft("ip", "prerouting", -150, rule(to("169.254.113.6"), drop)), []),
            (nft("ip", "input", 0, rule(tcp("dport", 2080), drop)), []),
            (nft("ip", "output", 0, rule(tcp("dport", 2080), drop)), []),
            (
                nft("ip", "forward", 0, rule(tcp("dport", 2080), drop)),
                [
                    "closed: dropped by nft ip t c: tcp dport 2080 drop",
                    "  type:  nft insert rule ip t c oifname mesh_sbox accept",
                ]
            ),
            (
                nft("ip", "postrouting", 0, rule(meta("oifname", "mesh_sbox"), drop)),
                [
                    "closed: dropped by nft ip t c: oifname mesh_sbox drop",
                    "  type:  nft insert rule ip t c oifname mesh_sbox accept",
                ]
            ),
            (
                nft(
                    "ip", "forward", 0,
                    #"{"match": {"op": "in", "left": {"ct": {"key": "status"}}, "right": "dnat"}}, {"accept": null}"#,
                    policy: "drop"), []
            ),
            // Packets of another interface than mesh_sbox do not go there.
            (nft("netdev", "egress", 0, rule(tcp("dport", 2080), drop), device: "mesh_sbox"), ["closed"]),
            (nft("netdev", "egress", 0, rule(tcp("dport", 2080), drop), device: "up0"), []),
            (
                nft("netdev", "ingress", 0, rule(tcp("dport", 2080), drop), device: "up0"),
                ["some packets may be dropped: nft netdev t c: tcp dport 2080 drop, on up0"]
            ),
            (nft("netdev", "ingress", 0, rule(tcp("sport", 2080), drop), device: "mesh_sbox"), ["unanswered: dropped"]),
            (nft("bridge", "input", 0, rule(tcp("dport", 2080), drop)), ["closed: dropped"]),
            (nft("bridge", "postrouting", 0, rule(tcp("sport", 2080), drop)), ["unanswered: dropped"]),
            (nft("arp", "input", 0, #"{"drop": null}"#), ["closed: dropped"]),
            // Replies: from the sandbox, and from the published address behind the translation.
            (
                nft("ip", "prerouting", -300, rule(from("169.254.113.6"), drop)),
                [
                    "unanswered: dropped by nft ip t c: tcp sport 2080 ip saddr 169.254.113.6 drop",
                    "  type:  nft insert rule ip t c ip saddr 169.254.113.6 accept",
                ]
            ),
            (nft("ip", "forward", 150, rule(from("169.254.113.6"), drop)), ["unanswered: dropped"]),
            (
                nft("ip", "postrouting", 0, rule(tcp("sport", 2080), drop)),
                [
                    "unanswered: dropped by nft ip t c: tcp sport 2080 drop",
                    "  type:  nft insert rule ip t c ip saddr 169.254.113.6 ct state established,related accept",
                ]
            ),
            (nft("ip", "postrouting", 0, rule(from("192.168.5.1"), drop)), []),
            (nft("ip", "postrouting", 150, rule(from("169.254.113.6"), drop)), []),
            (
                nft("ip", "postrouting", 150, rule(from("192.168.5.1"), drop)),
                [
                    "unanswered: dropped by nft ip t c: tcp sport 2080 ip saddr 192.168.5.1 drop",
                    "  type:  nft insert rule ip t c ct state established,related accept",
                ]
            ),
            (
                nft("netdev", "egress", 0, rule(tcp("sport", 2080), drop), device: "up0"),
                ["some replies may be dropped"]
            ),
            (
                nft("ip", "prerouting", -300, rule(meta("iifname", "mesh_sbox"), setZone)),
                ["replies are not translated back: conntrack looks for them in zone 5, and has packets in zone 0"]
            ),
            // A flowtable knows what conntrack translates.
            (
                nft(
                    "ip", "forward", 0,
                    #"{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "established"}}, {"flow": {"op": "add", "flowtable": "@f"}}"#
                ), []
            ),
        ] as [(String, [String])])
    func everyHookOnTheWayToTheSandbox(text: String, expected: [String]) async {
        let lines = await Self.sandboxLines(HostRules(nft: text))
        #expect(expected.isEmpty == lines.isEmpty, "\(lines)")
        for (line, beginning) in zip(lines, expected) { #expect(line.hasPrefix(beginning), "\(lines)") }
    }

    /// With iptables, our rules look at the ports, and a mark does no harm.
    @Test func noMarkFindsPacketsWithIPTables() async {
        let rules = HostRules(nft: Self.nft("ip", "prerouting", -140, Self.setMark))
        #expect(await Self.sandboxLines(rules, isFoundByMark: false) == [])
    }

    /// Our own rules accept both directions at the head of iptables' FORWARD, and firewalld, Docker and ufw are in
    /// nobody's way.
    @Test(arguments: [
        HostRules(iptables: HostTexts.ufw), HostRules(iptables: HostTexts.docker), HostRules(nft: HostTexts.firewalld),
        HostRules(iptables: "*filter\n:FORWARD DROP [0:0]\nCOMMIT\n"),
    ])
    func ordinaryRulesOnTheWayToTheSandbox(rules: HostRules) async {
        #expect(await Self.sandboxLines(rules) == [])
    }
}
