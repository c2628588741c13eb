import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// The packets that carry an overlay network to another node.
extension FirewallTests {
    private static func lines(_ rules: HostRules) async -> [String] {
        await SurveyText.lines(
            "shut", "packets",
            Firewall(rules).answer(carryingTo: "192.168.5.2", from: "192.168.5.1", port: 4789, by: "up0"))
    }

    private static func match(_ left: String, _ right: String) -> String {
        #"{"match": {"op": "==", "left": {\#(left)}, "right": \#(right)}}"#
    }

    private static let udp4789 = match(#""payload": {"protocol": "udp", "field": "dport"}"#, "4789")
    private static let drop = #"{"drop": null}"#
    private static let dropped = "\(udp4789), \(drop)"
    private static let established =
        #"{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "established"}}, {"accept": null}"#
    private static let advice = "  type:  nft insert rule ip t c udp dport 4789 accept"

    private static func rule(_ field: String, _ name: String, _ value: String) -> String {
        let left =
            field == "meta"
            ? #""meta": {"key": "\#(name)"}"# : #""payload": {"protocol": "\#(field)", "field": "\#(name)"}"#
        return "\(match(left, value)), \(drop)"
    }

    /// A chain, and the lines that are said of it; none where it is in nobody's way.
    @Test(
        arguments: [
            (
                nft("ip", "output", 0, dropped),
                ["shut: dropped by nft ip t c: udp dport 4789 drop", advice]
            ),
            // Each connection has a source port of its own, and is no reply.
            (
                nft("ip", "output", 0, established, policy: "drop"),
                ["shut: dropped by nft ip t c: policy DROP", advice]
            ),
            (
                nft("ip", "postrouting", 0, dropped),
                ["shut: dropped by nft ip t c: udp dport 4789 drop", advice]
            ),
            (
                nft("netdev", "egress", 0, dropped, device: "up0"),
                ["some packets may be dropped: nft netdev t c: udp dport 4789 drop, on up0"]
            ),
            (
                nft("ip", "output", 0, rule("meta", "oifname", #""up0""#)),
                ["shut: dropped by nft ip t c: oifname up0 drop", advice]
            ),
            (nft("ip", "output", 0, rule("meta", "oifname", #""up1""#)), []),
            (
                nft("ip", "output", 0, rule("ip", "saddr", #""192.168.5.1""#)),
                ["shut: dropped by nft ip t c: ip saddr 192.168.5.1 drop", advice]
            ),
            (nft("ip", "output", 0, rule("ip", "daddr", #""192.168.5.3""#)), []),
            (nft("ip", "output", 0, rule("meta", "mark", "32768")), []),
            (nft("ip", "output", -300, #"{"notrack": null}"#), []),
            (nft("ip6", "output", 0, dropped), []), (nft("ip", "input", 0, dropped), []),
            (nft("ip", "forward", 0, dropped), []), (nft("ip", "prerouting", 0, dropped), []),
        ] as [(String, [String])])
    func everyHookOnTheWayToAnotherNode(text: String, expected: [String]) async {
        #expect(await Self.lines(HostRules(nft: text)) == expected)
    }

    @Test func iptablesOnTheWayToAnotherNode() async {
        let known = "OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
        let shut = "*filter\n:OUTPUT DROP [0:0]\n-A \(known)\nCOMMIT\n"
        #expect(
            await Self.lines(HostRules(iptables: shut)) == [
                "shut: dropped by iptables filter OUTPUT: policy DROP",
                "  type:  iptables -I OUTPUT -p udp --dport 4789 -j ACCEPT",
            ])
        let open = shut.replacing("-A", with: "-A OUTPUT -p udp -m udp --dport 4789 -j ACCEPT\n-A")
        #expect(await Self.lines(HostRules(iptables: open)) == [])
    }

    /// `ufw default deny outgoing` sets the policy, and takes the accepts of new connections away.
    @Test func ufwOnTheWayToAnotherNode() async {
        #expect(await Self.lines(HostRules(iptables: HostTexts.ufw)) == [])
        let denying = HostTexts.ufw.replacing(":OUTPUT ACCEPT", with: ":OUTPUT DROP").split(separator: "\n")
            .filter { !$0.hasPrefix("-A ufw-track-output -p") }.joined(separator: "\n")
        #expect(
            await Self.lines(HostRules(iptables: denying)) == [
                "shut: dropped by iptables filter OUTPUT: policy DROP", "  type:  ufw allow out 4789/udp",
            ])
        #expect(await Self.lines(HostRules(nft: HostTexts.firewalld)) == [])
    }

    /// Whatever holds for several nodes is said of the first ones.
    @Test func linesOfManyNodes() {
        let lines = (1...5).map { ["node \($0) gets nothing", SurveyText.advice("open \($0)")] }
        #expect(SurveyText.abridged(Array(lines.prefix(3)), "node") == lines.prefix(3).flatMap { $0 })
        #expect(
            SurveyText.abridged(lines, "node") == lines.prefix(3).flatMap { $0 }
                + ["the like holds for 2 more nodes", "  type:  open 4", "  type:  open 5"])
        #expect(SurveyText.abridged(Array(lines.prefix(4)), "task")[6] == "the like holds for 1 more task")
    }
}
