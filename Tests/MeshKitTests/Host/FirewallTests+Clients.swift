import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Who may come to a port, and by which interfaces.
extension FirewallTests {
    private static let open =
        "*filter\n:INPUT DROP [0:0]\n-A INPUT -s 10.8.0.0/16 -p tcp -m tcp --dport 1080 -j ACCEPT\nCOMMIT\n"

    private static func answer(_ allowed: [IPPrefix], in rules: HostRules) async -> Firewall.Answer? {
        await Firewall(rules).answer(
            publishing: .tcp, ports: 1080...1080, at: node, allowed: allowed, families: [.ipv4, .ipv6], mark: 0x100)
    }

    /// A firewall that lets 10.8.0.0/16 in, and networks that may come.
    @Test(
        arguments: [
            ([], "only: -A INPUT -s 10.8.0.0/16 -p tcp -m tcp --dport 1080 -j ACCEPT", "-p tcp --dport 1080"),
            (["10.8.0.0/16"], "accepted", ""),
            (["10.8.1.0/24", "10.8.2.3/32"], "accepted", ""),
            (["10.9.0.0/16"], "dropped: policy DROP", "-s 10.9.0.0/16 -p tcp --dport 1080"),
            (
                ["10.8.0.0/15", "192.0.2.0/24"],
                "only: -A INPUT -s 10.8.0.0/16 -p tcp -m tcp --dport 1080 -j ACCEPT",
                "-s 10.8.0.0/15,192.0.2.0/24 -p tcp --dport 1080"
            ),
        ] as [([String], String, String)])
    func whoMayCome(networks: [String], verdict: String, match: String) async throws {
        let allowed = try networks.map { try #require(IPPrefix($0)) }
        let answer = await Self.answer(allowed, in: HostRules(iptables: Self.open))
        #expect(Self.text(answer?.verdict) == verdict)
        #expect(answer?.advice == (match.isEmpty ? [] : ["iptables -I INPUT \(match) -j ACCEPT"]))
    }

    /// What is typed opens to those alone who may come.
    @Test(
        arguments: [
            (HostRules(iptables: HostTexts.ufw), ["ufw allow from 10.9.0.0/16 to any port 1080 proto tcp"]),
            (
                HostRules(nft: HostTexts.firewalld),
                ["", "--permanent "].flatMap { option in
                    ["family=\"ipv4\" source address=\"10.9.0.0/16\"", "family=\"ipv6\" source address=\"fd09::/64\""]
                        .map {
                            "firewall-cmd \(option)--add-rich-rule='rule \($0) port port=\"1080\" protocol=\"tcp\" accept'"
                        }
                }
            ),
            (
                HostRules(
                    nft: #"""
                        {"nftables": [{"table": {"family": "inet", "name": "filter", "handle": 1}},
                        {"chain": {"family": "inet", "table": "filter", "name": "in", "handle": 1, "type": "filter",
                         "hook": "input", "prio": 0, "policy": "drop"}}]}
                        """#),
                [
                    "nft insert rule inet filter in ip saddr 10.9.0.0/16 tcp dport 1080 accept",
                    "nft insert rule inet filter in ip6 saddr fd09::/64 tcp dport 1080 accept",
                ]
            ),
        ] as [(HostRules, [String])])
    func adviceForThoseWhoMayCome(rules: HostRules, lines: [String]) async {
        let answer = await Self.answer([IPPrefix("10.9.0.0", length: 16), IPPrefix("fd09::", length: 64)], in: rules)
        #expect(answer?.advice.sorted() == lines.sorted())
    }

    /// A rule by interface, and the interfaces that there are.
    @Test(
        arguments: [
            ("-i wg0", ["lo", "up0", "br0"], "accepted"),
            ("-i wg+", ["lo", "up0", "br0"], "accepted"),
            ("! -i wg0", ["lo", "up0", "br0"], "dropped: -A INPUT ! -i wg0 -j DROP"),
            ("-i up0", ["lo", "up0", "br0"], "not: -A INPUT -i up0 -j DROP"),
            ("-i up+", ["lo", "up0", "br0"], "not: -A INPUT -i up+ -j DROP"),
            ("-i up0", ["lo", "up0"], "dropped: -A INPUT -i up0 -j DROP"),
            ("-i up+", ["lo", "up0", "up1"], "dropped: -A INPUT -i up+ -j DROP"),
            ("-i lo", ["lo", "up0"], "accepted"),
        ] as [(String, Set<String>, String)])
    func interfaces(match: String, interfaces: Set<String>, verdict: String) async {
        let text = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT \(match) -j DROP\nCOMMIT\n"
        let answer = await Self.answer([], in: HostRules(iptables: text, interfaces: interfaces, unread: []))
        #expect(Self.text(answer?.verdict) == verdict)
    }
}
