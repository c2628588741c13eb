import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Rules of other programs that give packets to tasks another source address.
@Suite struct HidingRulesTests {
    private static func nat(_ rules: String...) -> HostRules {
        let chains = ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"].map { ":\($0) ACCEPT [0:0]\n" }
        return HostRules(
            iptables: "*nat\n\(chains.joined()):user - [0:0]\n" + rules.map { "-A \($0)\n" }.joined() + "COMMIT\n")
    }

    private static func all(_ rule: String) -> [String] {
        ["tasks of 2080/tcp see another address than the client's: by iptables nat POSTROUTING: -A \(rule)"]
    }

    private static func some(_ rule: String) -> [String] {
        ["tasks of 2080/tcp see another address than that of some clients: by iptables nat POSTROUTING: -A \(rule)"]
    }

    /// A task behind br0 and the sandbox.
    private static func lines(_ rules: HostRules, showsClient: Bool = true) async -> (task: [String], sandbox: [String])
    {
        let sent = await Firewall(rules).answer(
            sendingTo: "10.0.0.11", .tcp, ports: 80...80, showsClient: showsClient, mark: 0x100, by: "br0")
        let listening = PacketWay.Listening(
            transport: .tcp, ports: 2080...2080, translated: 2080...2080, addresses: ["192.168.5.1"], mark: 0x100,
            showsClient: showsClient)
        let sandbox = PacketWay.Sandbox(address: "169.254.113.6", interface: "mesh_sbox")
        let forwarded = await Firewall(rules).answer(forwardingTo: sandbox, listening)
        return (SurveyText.hidings("2080/tcp", sent), SurveyText.hidings("2080/tcp", forwarded))
    }

    @Test(
        arguments: [
            (
                nat("POSTROUTING -j MASQUERADE"), all("POSTROUTING -j MASQUERADE"),
                all("POSTROUTING -j MASQUERADE")
            ),
            (
                nat("POSTROUTING ! -o lo -j user", "user -j SNAT --to-source 192.168.5.1"),
                all("user -j SNAT --to-source 192.168.5.1"), all("user -j SNAT --to-source 192.168.5.1")
            ),
            (nat("POSTROUTING -o br0 -j MASQUERADE"), all("POSTROUTING -o br0 -j MASQUERADE"), []),
            (nat("POSTROUTING -o mesh_sbox -j MASQUERADE"), [], all("POSTROUTING -o mesh_sbox -j MASQUERADE")),
            (
                nat("POSTROUTING -d 10.0.0.0/24 -j NETMAP --to 10.9.0.0/24"),
                all("POSTROUTING -d 10.0.0.0/24 -j NETMAP --to 10.9.0.0/24"), []
            ),
            (
                nat("POSTROUTING -s 10.8.0.0/16 -j ACCEPT", "POSTROUTING -o br0 -j MASQUERADE"),
                some("POSTROUTING -o br0 -j MASQUERADE"), []
            ),
            (nat("POSTROUTING -p tcp -j SNAT --to-source :1024-2047"), [], []),
            // Nobody knows whether a client comes from there; and not those who do on an ordinary host.
            (nat("POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE"), [], []),
            (nat("POSTROUTING -o docker0 -m addrtype --src-type LOCAL -j MASQUERADE"), [], []),
            (nat("POSTROUTING -m mark --mark 0x40000/0xff0000 -j MASQUERADE"), [], []),
            (nat("POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN", "POSTROUTING -j MASQUERADE"), [], []),
            (nat("PREROUTING -p tcp -m tcp --dport 99 -j DNAT --to-destination 10.0.0.2"), [], []),
            (HostRules(iptables: HostTexts.docker), [], []), (HostRules(nft: HostTexts.firewalld), [], []),
        ] as [(HostRules, [String], [String])])
    func rules(rules: HostRules, task: [String], sandbox: [String]) async {
        let lines = await Self.lines(rules)
        #expect(lines.task == task)
        #expect(lines.sandbox == sandbox)
    }

    @Test(
        arguments: [
            (#"{"masquerade": null}"#, "masquerade"), (#"{"snat": {"addr": "192.168.5.1"}}"#, "snat"),
            (#"{"snat": {"port": {"range": [1024, 2047]}}}"#, nil),
        ] as [(String, String?)])
    func rulesOfNFTables(statement: String, rule: String?) async {
        let rules = HostRules(nft: FirewallTests.nft("inet", "postrouting", 100, statement, type: "nat"))
        let expected = rule.map { ["tasks of 2080/tcp see another address than the client's: by nft inet t c: \($0)"] }
        #expect(await Self.lines(rules).task == expected ?? [])
        #expect(await Self.lines(rules, showsClient: false).task == [])
        #expect(await Self.lines(rules).sandbox == expected ?? [])
    }
}
