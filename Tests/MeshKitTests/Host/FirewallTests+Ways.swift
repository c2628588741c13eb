import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// What is met beside filter's INPUT and FORWARD.
extension FirewallTests {
    /// A chain of a table of nftables with one rule.
    static func nft(
        _ family: String, _ hook: String, _ priority: Int, _ statements: String, type: String = "filter",
        policy: String = "accept", device: String? = nil
    ) -> String {
        #"""
        {"nftables": [{"table": {"family": "\#(family)", "name": "t", "handle": 1}},
        {"flowtable": {"family": "\#(family)", "name": "f", "table": "t", "handle": 1, "hook": "ingress", "prio": 0, "dev": "eth0"}},
        {"chain": {"family": "\#(family)", "table": "t", "name": "c", "handle": 1, "type": "\#(type)", \#(device.map { "\"dev\": \"\($0)\", " } ?? "")
         "hook": "\#(hook)", "prio": \#(priority), "policy": "\#(policy)"}},
        {"rule": {"family": "\#(family)", "table": "t", "chain": "c", "handle": 3, "expr": [\#(statements)]}}]}
        """#
    }

    private static let tcp1080 =
        #"{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 1080}}"#
    private static let drop = tcp1080 + #", {"drop": null}"#
    private static let setMark = #"{"mangle": {"key": {"meta": {"key": "mark"}}, "value": 5}}"#
    private static let restoreMark =
        #"{"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"ct": {"key": "mark"}}}}"#
    private static let orMark =
        #"{"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"|": [{"meta": {"key": "mark"}}, 16384]}}}"#
    private static let sameMark =
        #"{"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"&": [{"meta": {"key": "mark"}}, 65535]}}}"#
    private static let replies =
        #"{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "sport"}}, "right": 80}}, {"drop": null}"#

    static func nodeLines(_ rules: HostRules) async -> [String] {
        let firewall = Firewall(rules)
        let arriving = await firewall.answer(
            publishing: .tcp, ports: 1080...1080, at: node, families: [.ipv4], mark: 0x100)
        let replied = await firewall.answer(repliesOf: "10.0.0.11", .tcp, port: 80, by: "br0")
        return await SurveyText.lines("closed", "packets", arriving)
            + SurveyText.lines(
                "unsent", "packets",
                firewall.answer(sendingTo: "10.0.0.11", .tcp, ports: 80...80, mark: 0x100, from: node))
            + SurveyText.lines("unanswered", "replies", replied)
            + SurveyText.lines(
                "packets", "replies", ZoneMismatch(arriving?.zonings ?? [], replied?.zonings ?? [], .ipv4),
                isMasqueraded: true)
            + SurveyText.lines(
                "unreturned", "replies",
                firewall.answer(repliesFrom: 1080...1080, .tcp, translated: 1080...1080, at: node, families: [.ipv4]))
    }

    /// A chain, and how what is said of it begins; nothing where it keeps nothing away.
    @Test(
        arguments: [
            (nft("ip", "prerouting", -300, drop), "closed: dropped by nft ip t c: tcp dport 1080 drop"),
            (nft("inet", "prerouting", -450, drop), "closed: dropped"),
            (nft("inet", "prerouting", 0, drop), "closed: dropped"),
            (nft("ip6", "prerouting", -300, drop), ""),
            (nft("arp", "input", 0, #"{"drop": null}"#), "closed: dropped by nft arp t c: drop"),
            (nft("arp", "output", 0, #"{"drop": null}"#), "closed: dropped by nft arp t c: drop"),
            (
                nft(
                    "arp", "input", 0,
                    #"{"match": {"op": "==", "left": {"payload": {"protocol": "arp", "field": "ptype"}}, "right": "ip"}}, {"accept": null}"#,
                    policy: "drop"), ""
            ),
            (
                nft(
                    "arp", "input", 0,
                    #"{"match": {"op": "==", "left": {"payload": {"protocol": "arp", "field": "daddr ip"}}, "right": "10.0.9.9"}}, {"drop": null}"#
                ), ""
            ),
            (
                nft(
                    "arp", "input", 0,
                    #"{"match": {"op": "==", "left": {"payload": {"protocol": "arp", "field": "saddr ip"}}, "right": "10.0.0.11"}}, {"drop": null}"#
                ), "some packets may be dropped: nft arp t c: arp saddr ip 10.0.0.11 drop"
            ),
            (
                nft(
                    "bridge", "prerouting", 0,
                    #"{"match": {"op": "==", "left": {"payload": {"protocol": "ether", "field": "type"}}, "right": "arp"}}, {"drop": null}"#
                ), "closed: dropped by nft bridge t c: ether type arp drop"
            ),
            (
                nft(
                    "inet", "ingress", 0,
                    #"{"match": {"op": "==", "left": {"meta": {"key": "protocol"}}, "right": "arp"}}, {"drop": null}"#,
                    device: "up0"), ""
            ),
            (nft("ip", "input", 97, drop), "closed: dropped"),
            // IPVS has taken it by then.
            (nft("ip", "input", 100, drop), ""),
            (nft("ip", "input", 100, #"{"drop": null}"#, type: "nat"), ""),
            (nft("ip", "prerouting", -100, drop, type: "nat"), "closed: dropped"),
            (nft("ip", "output", -100, #"{"drop": null}"#, type: "nat"), ""),
            (nft("bridge", "input", 0, drop), "closed: dropped"),
            (
                nft("netdev", "ingress", 0, drop, device: "up0"),
                "some packets may be dropped: nft netdev t c: tcp dport 1080 drop, on up0"
            ),
            (nft("inet", "ingress", 0, drop, device: "up0"), "some packets may be dropped"),
            (
                nft(
                    "ip", "output", 0,
                    #"{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 80}}, {"reject": null}"#
                ), "unsent: dropped"
            ),
            (
                nft("inet", "output", 0, #"{"counter": null}"#, policy: "drop"),
                "unsent: dropped by nft inet t c: policy DROP"
            ),
            (nft("inet", "postrouting", 0, #"{"counter": null}"#, policy: "drop"), "unsent: dropped"),
            (nft("inet", "postrouting", 100, #"{"masquerade": null}"#, type: "nat"), ""),
            (nft("ip", "prerouting", -300, replies), "unanswered: dropped"),
            (
                nft(
                    "ip", "prerouting", -300,
                    tcp1080 + #", {"mangle": {"key": {"ct": {"key": "zone"}}, "value": 5}}"#),
                "replies are not translated back: conntrack looks for them in zone 0, and has packets in zone 5"
            ),
            // Both directions in one; the original direction alone; a zone that a map gives.
            (nft("ip", "prerouting", -300, #"{"mangle": {"key": {"ct": {"key": "zone"}}, "value": 5}}"#), ""),
            (
                nft(
                    "ip", "prerouting", -300,
                    tcp1080 + #", {"mangle": {"key": {"ct": {"key": "zone", "dir": "original"}}, "value": 5}}"#), ""
            ),
            (
                nft(
                    "ip", "prerouting", -300,
                    tcp1080
                        + #", {"mangle": {"key": {"ct": {"key": "zone"}}, "value": {"map": {"key": {"meta": {"key": "iif"}}, "data": {"set": [["br0", 5]]}}}}}"#
                ), "some replies may not be translated back"
            ),
            (nft("ip", "prerouting", 0, #"{"mangle": {"key": {"ct": {"key": "zone"}}, "value": 5}}"#), ""),
            (
                nft(
                    "ip", "prerouting", -300,
                    #"{"mangle": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "value": 9999}}"#),
                "packets are written anew"
            ),
            (
                nft(
                    "ip", "prerouting", -300,
                    #"{"mangle": {"key": {"payload": {"protocol": "ip", "field": "dscp"}}, "value": 8}}"#), ""
            ),
            // Bits of a header: an address, a port, and a time to live.
            (
                nft(
                    "ip", "prerouting", -300,
                    #"{"mangle": {"key": {"payload": {"base": "nh", "offset": 128, "len": 32}}, "value": 168427778}}"#),
                "packets are written anew on their way, past conntrack: by nft ip t c: @nh,128,32 set 168427778"
            ),
            (
                nft(
                    "ip", "prerouting", -300,
                    #"{"mangle": {"key": {"payload": {"base": "th", "offset": 16, "len": 16}}, "value": 9999}}"#),
                "packets are written anew"
            ),
            (
                nft(
                    "ip", "prerouting", -300,
                    #"{"mangle": {"key": {"payload": {"base": "nh", "offset": 64, "len": 8}}, "value": 64}}"#), ""
            ),
            // A scan without flags, fragments, routing headers, users: nothing of ours.
            (
                nft(
                    "inet", "input", 0,
                    #"{"match": {"op": "!", "left": {"payload": {"protocol": "tcp", "field": "flags"}}, "right": ["fin", "syn", "rst", "psh", "ack", "urg"]}}, {"drop": null}"#
                ), ""
            ),
            (
                nft(
                    "inet", "input", 0,
                    #"{"match": {"op": "==", "left": {"exthdr": {"name": "frag"}}, "right": true}}, {"drop": null}"#),
                ""
            ),
            (
                nft(
                    "inet", "input", 0,
                    #"{"match": {"op": "==", "left": {"exthdr": {"name": "rt", "field": "type"}}, "right": 0}}, {"drop": null}"#
                ), ""
            ),
            (
                nft(
                    "inet", "input", 0,
                    #"{"match": {"op": "!=", "left": {"&": [{"payload": {"protocol": "ip", "field": "frag-off"}}, 8191]}, "right": 0}}, {"drop": null}"#
                ), ""
            ),
            (
                nft(
                    "inet", "output", 0,
                    #"{"match": {"op": "==", "left": {"meta": {"key": "skuid"}}, "right": 1000}}, {"drop": null}"#), ""
            ),
            (nft("ip", "forward", 0, replies), "unanswered: dropped"),
            // Behind IPVS its source is the published port.
            (nft("ip", "forward", 150, replies), ""),
            (
                nft(
                    "ip", "postrouting", 0,
                    #"{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "sport"}}, "right": 1080}}, {"drop": null}"#
                ), "unreturned: dropped"
            ),
            // Not seen by conntrack yet, everything is invalid to whoever asks.
            (
                nft(
                    "ip", "prerouting", -300,
                    #"{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "invalid"}}, {"drop": null}"#),
                "closed: dropped"
            ),
            (
                nft(
                    "ip", "prerouting", -150,
                    #"{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "invalid"}}, {"drop": null}"#),
                ""
            ),
            (nft("ip", "prerouting", -300, tcp1080 + #", {"notrack": null}"#), "packets are not tracked by conntrack"),
            // Too late: it has been.
            (nft("ip", "prerouting", -150, tcp1080 + #", {"notrack": null}"#), ""),
            (nft("ip", "prerouting", -300, tcp1080 + #", {"accept": null}, {"notrack": null}"#), ""),
            (nft("ip", "prerouting", -140, tcp1080 + ", " + setMark), "packets get another mark"),
            (nft("ip", "input", 0, setMark), "packets get another mark"),
            (nft("ip", "input", 0, orMark), "packets get another mark"),
            (nft("ip", "input", 0, sameMark), ""),
            // A new connection has no mark, unless a rule gives it one.
            (nft("ip", "input", 0, restoreMark), "packets get another mark"),
            (
                nft("ip", "input", 0, #"{"mangle": {"key": {"ct": {"key": "mark"}}, "value": 5}}, "# + restoreMark),
                "some packets get another mark"
            ),
            // Ours comes later.
            (nft("ip", "prerouting", -200, setMark), ""),
            (
                nft(
                    "ip", "prerouting", -150,
                    #"{"match": {"op": "==", "left": {"meta": {"key": "mark"}}, "right": 256}}, {"drop": null}"#),
                "closed: dropped"
            ),
            (
                nft(
                    "ip", "input", 0,
                    #"{"match": {"op": "!=", "left": {"&": [{"meta": {"key": "mark"}}, 32768]}, "right": 0}}, {"drop": null}"#
                ), ""
            ),
            (
                nft(
                    "ip", "forward", 0,
                    #"{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "established"}}, {"flow": {"op": "add", "flowtable": "@f"}}"#
                ),
                "replies go past IPVS, so that they are not translated back: by nft ip t c: ct state established flow add @f"
            ),
            (nft("ip", "input", 0, tcp1080 + #", {"synproxy": null}"#), "closed, unless a program lets them"),
            (
                nft(
                    "ip", "input", 0,
                    #"{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@bad"}}, {"drop": null}"#
                ), "some packets may be dropped (it depends on set bad): nft ip t c: ip saddr @bad drop"
            ),
            (
                nft(
                    "ip", "prerouting", -300,
                    #"{"match": {"op": "==", "left": {"fib": {"result": "oif", "flags": ["saddr", "iif"]}}, "right": false}}, {"drop": null}"#
                ), ""
            ),
        ] as [(String, String)])
    func everyHook(text: String, beginning: String) async {
        let lines = await Self.nodeLines(HostRules(nft: text))
        if beginning.isEmpty {
            #expect(lines == [])
        } else {
            #expect(lines.first?.hasPrefix(beginning) == true, "\(lines)")
        }
    }

    /// A map of verdicts is asked for the one key that our packet has.
    @Test(
        arguments: [
            (.present(.end(.drop)), "closed: dropped by nft ip t c: tcp dport vmap @m"), (.absent, ""),
            (.present(.end(.accept)), ""), (nil, "some packets may be dropped (it depends on set m)"),
        ] as [(SetAnswers.Answer?, String)])
    func aMapOfVerdicts(answer: SetAnswers.Answer?, beginning: String) async {
        let text = Self.nft(
            "ip", "input", 0,
            #"{"vmap": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": "@m"}}"#)
        let sets = SetsOfTest { _, key in key == [.port(1080)] ? answer : nil }
        let lines = await Self.nodeLines(HostRules(nft: [text], sets: sets, unread: []))
        #expect(beginning.isEmpty ? lines == [] : lines.first?.hasPrefix(beginning) == true, "\(lines)")
    }
}
