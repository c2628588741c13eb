import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// What rules of others do in chains of iptables that lead to ours.
extension FirewallTests {
    /// FORWARD with rules in front of the jump to our chain and behind it, on a node with one uplink.
    private static func forward(_ front: [String], behind: [String] = []) -> HostRules {
        let rules = front + ["FORWARD -j MESH-FORWARD"] + behind
        return HostRules(
            iptables: """
                *filter
                :FORWARD ACCEPT [0:0]
                :DOCKER-USER - [0:0]
                :MESH-FORWARD - [0:0]
                \(rules.map { "-A \($0)" }.joined(separator: "\n"))
                -A MESH-FORWARD -o mesh_sbox -m conntrack --ctstate DNAT -j ACCEPT
                COMMIT

                """, interfaces: ["lo", "up0", "mesh_sbox", "vt"], unread: [])
    }

    private static let toSandbox = "  type:  iptables -I FORWARD -o mesh_sbox -j ACCEPT"

    /// Our own chain accepts what comes to it, and nothing else.
    @Test(
        arguments: [
            (
                forward(["FORWARD -i up0 -j DROP"]),
                ["some packets may be dropped: iptables filter FORWARD: -A FORWARD -i up0 -j DROP"]
            ),
            (
                forward(["FORWARD -j LOG", "FORWARD ! -i vt -o mesh_sbox -j REJECT"]),
                ["some packets may be dropped: iptables filter FORWARD: -A FORWARD ! -i vt -o mesh_sbox -j REJECT"]
            ),
            (
                forward(["FORWARD -o mesh_sbox -j DROP"]),
                ["closed: dropped by iptables filter FORWARD: -A FORWARD -o mesh_sbox -j DROP", toSandbox]
            ),
            (
                forward(["FORWARD -i mesh_sbox -j DROP"]),
                [
                    "unanswered: dropped by iptables filter FORWARD: -A FORWARD -i mesh_sbox -j DROP",
                    "  type:  iptables -I FORWARD -s 169.254.113.6 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
                ]
            ),
            (
                forward(["FORWARD -j DOCKER-USER", "DOCKER-USER -i up0 ! -s 192.0.2.2/32 -j DROP"]),
                ["some packets may be dropped: iptables filter FORWARD: -A DOCKER-USER -i up0 ! -s 192.0.2.2/32"]
            ),
            // Docker puts the jump to this chain first whenever it starts.
            (
                forward(["FORWARD -j DOCKER-USER", "DOCKER-USER -o mesh_sbox -j DROP"]),
                [
                    "closed: dropped by iptables filter FORWARD: -A DOCKER-USER -o mesh_sbox -j DROP",
                    "  type:  iptables -I DOCKER-USER -o mesh_sbox -j ACCEPT",
                ]
            ),
            (forward(["FORWARD -j DOCKER-USER", "DOCKER-USER -j RETURN"], behind: ["FORWARD -j DROP"]), []),
            (forward(["FORWARD -i docker0 -j DROP", "FORWARD -p udp -j DROP"]), []),
            (forward(["FORWARD -j ACCEPT"]), []),
            (forward([], behind: ["FORWARD -j DROP"]), []),
            // Before a pass has put it first, nothing is in front of it.
            (HostRules(iptables: "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j DROP\nCOMMIT\n"), []),
        ] as [(HostRules, [String])])
    func inFrontOfOurAccepts(rules: HostRules, expected: [String]) async {
        let lines = await Self.sandboxLines(rules, isFoundByMark: false)
        #expect(lines.count == expected.count, "\(lines)")
        for (line, beginning) in zip(lines, expected) { #expect(line.hasPrefix(beginning), "\(lines)") }
    }

    /// The table of the nft variant of iptables, beside a table of the same name of the legacy one.
    @Test func inFrontOfOurAcceptsByNFTables() async {
        func table(_ rules: String..., policy: String = "accept") -> String {
            let place = #""family": "ip", "table": "filter""#
            let chain =
                #"{"chain": {\#(place), "name": "FORWARD", "type": "filter", "hook": "forward", "prio": 0, "#
                + #""policy": "\#(policy)"}}"#
            let objects =
                [#"{"table": {"family": "ip", "name": "filter"}}"#, chain]
                + rules.map { #"{"rule": {\#(place), "chain": "FORWARD", "expr": [\#($0)]}}"# }
            return #"{"nftables": [\#(objects.joined(separator: ", "))]}"#
        }
        let (jump, drop) = (#"{"jump": {"target": "MESH-FORWARD"}}"#, #"{"drop": null}"#)
        #expect(await Self.sandboxLines(HostRules(nft: table(jump, drop))) == [])
        #expect(
            await Self.sandboxLines(HostRules(nft: table(drop, jump))).prefix(2) == [
                "closed: dropped by iptables filter FORWARD: drop",
                "  type:  iptables-nft -I FORWARD -o mesh_sbox -j ACCEPT",
            ])
        // Our chain is in one of the two tables. It does not override the other.
        let legacy = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j MESH-FORWARD\nCOMMIT\n"
        let both = HostRules(iptables: legacy, nft: table(policy: "drop"))
        #expect(
            await Self.sandboxLines(both).first == "closed: dropped by iptables filter FORWARD: policy DROP")
        #expect(await Self.sandboxLines(HostRules(nft: table(policy: "drop"))) == [])
    }

    /// A task whose replies, and whose clients' further packets, our own chain accepts.
    @Test(
        arguments: [
            (["FORWARD -i vt -j DROP"], "dropped: -A FORWARD -i vt -j DROP", "accepted"),
            (["FORWARD -o vt -j DROP"], "accepted", "dropped: -A FORWARD -o vt -j DROP"),
            ([], "accepted", "accepted"),
        ] as [([String], String, String)])
    func inFrontOfOurAcceptsForATask(front: [String], replied: String, continued: String) async {
        let firewall = Firewall(Self.forward(front, behind: ["FORWARD -j DROP"]))
        let replies = await firewall.answer(
            repliesOf: "10.0.0.11", .tcp, port: 80, by: "vt", hasClients: false, isLetThrough: true)
        #expect(Self.text(replies?.verdict) == replied)
        let further = await firewall.answer(
            continuingTo: "10.0.0.11", .tcp, ports: 80...80, by: "vt", hasClients: false, isLetThrough: true)
        #expect(Self.text(further?.verdict) == continued)
        let others = await firewall.answer(repliesOf: "10.0.0.11", .tcp, port: 80, by: "vt", hasClients: false)
        let verdict = Self.text(others?.verdict)
        #expect(verdict.hasPrefix("dropped"))
    }

    /// What is said to type puts our jump first.
    @Test func anAcceptInFrontOfOurMarks() async {
        let rules = HostRules(
            iptables: """
                *mangle
                :PREROUTING ACCEPT [0:0]
                :user - [0:0]
                :MESH-IN - [0:0]
                -A PREROUTING -j user
                -A PREROUTING -m conntrack --ctdir ORIGINAL -m addrtype --dst-type LOCAL -j MESH-IN
                -A user -p tcp -j ACCEPT
                COMMIT

                """)
        let line =
            "packets do not come to the rules of meshctl: by iptables mangle PREROUTING: -A user -p tcp -j ACCEPT"
        let advice =
            "  type:  iptables -t mangle -I PREROUTING -m conntrack --ctdir ORIGINAL -m addrtype --dst-type LOCAL "
            + "-j MESH-IN"
        #expect(await Self.nodeLines(rules) == [line, advice])
        // With iptables, the ports that the sandbox balances are not marked.
        #expect(await Self.sandboxLines(rules, isFoundByMark: false) == [])
    }

    /// A port of the sandbox, and one that is translated on the node.
    @Test(arguments: [("MESH-INGRESS", "-m addrtype --dst-type LOCAL "), ("MESH-TARGET", "")])
    func anAcceptInFrontOfOurTranslations(chain: String, condition: String) async {
        let rules = HostRules(
            iptables: """
                *nat
                :PREROUTING ACCEPT [0:0]
                :\(chain) - [0:0]
                -A PREROUTING -p tcp -j ACCEPT
                -A PREROUTING \(condition)-j \(chain)
                COMMIT

                """)
        let sticky = await Firewall(rules).answer(
            publishing: .tcp, ports: 3080...3080, translated: 81...81, at: Self.node, families: [.ipv4], mark: 0x100)
        let lines = [
            "packets do not come to the rules of meshctl: by iptables nat PREROUTING: -A PREROUTING -p tcp -j ACCEPT",
            "  type:  iptables -t nat -I PREROUTING \(condition)-j \(chain)",
        ]
        let isIngress = chain == "MESH-INGRESS"
        #expect(SurveyText.lines("closed", "packets", sticky) == (isIngress ? [] : lines))
        #expect(await Self.sandboxLines(rules, isFoundByMark: false) == (isIngress ? lines : []))
        #expect(await Self.nodeLines(rules) == [], "nobody translates the port")
    }

    @Test func theWordsOfOurJumps() {
        #expect(OwnRules.jump(from: "POSTROUTING", to: "MESH-SNAT") == "POSTROUTING -j MESH-SNAT")
        #expect(OwnRules.jump(from: "PREROUTING", to: "MESH-FORWARD") == nil)
        let advice = FirewallAdvice(rules: HostRules())
        func line(_ tool: HostRuleSite.Tool, _ table: String) -> [String] {
            let site = HostRuleSite(tool: tool, table: table, baseChain: "POSTROUTING", text: "accept")
            return advice.puttingFirst("MESH-SNAT", before: site)
        }
        #expect(line(.nft, "ip nat") == ["iptables-nft -t nat -I POSTROUTING -j MESH-SNAT"])
        #expect(line(.nft, "ip6 nat") == ["ip6tables-nft -t nat -I POSTROUTING -j MESH-SNAT"])
        #expect(line(.ip6tables, "nat") == ["ip6tables -t nat -I POSTROUTING -j MESH-SNAT"])
    }
}
