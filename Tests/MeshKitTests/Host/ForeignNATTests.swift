import IPVSKit
import RuleKit
import TestSupport
import Testing

@testable import MeshKit

@Suite struct ForeignNATTests {
    private static let node: Set<IPAddress> = ["127.0.0.1", "::1", "10.0.1.10", "fd00::10"]

    private static func find(
        _ port: PortBinding, at addresses: Set<IPAddress> = node, in rules: HostRules, last: UInt16? = nil
    ) async -> [ForeignNAT] {
        await ForeignNAT.find(
            publishing: port.transport, ports: port.ports.lowerBound...(last ?? port.ports.upperBound), at: addresses,
            in: rules)
    }

    @Test func dockersPublishedPort() async throws {
        let found = await Self.find(PortBinding(1080, .tcp), in: HostRules(iptables: HostTexts.docker))
        let rule = "-A DOCKER ! -i docker0 -p tcp -m tcp --dport 1080 -j DNAT --to-destination 172.17.0.2:80"
        #expect(
            found == [
                ForeignNAT(
                    rule: HostRuleSite(tool: .iptables, table: "nat", baseChain: "PREROUTING", text: rule),
                    leadsTo: "172.17.0.2:80", condition: rule)
            ])
        #expect(found.map(\.description) == ["iptables nat PREROUTING: \(rule)"])
    }

    /// Docker's ports by address: whether they take a port that is published on all addresses, on 10.0.1.10 or
    /// on 192.168.7.7, which is the node's in this case alone.
    @Test(
        arguments: [
            (1080, .udp, node, []),
            (1079, .tcp, node, []),
            (1081, .tcp, node, ["172.17.0.2:81"]),
            (1081, .tcp, ["10.0.1.10"], []),
            (1082, .tcp, node, []),
            (1082, .tcp, ["192.168.7.7"], ["172.17.0.2:82"]),
            (1082, .tcp, node.union(["192.168.7.7"]), ["172.17.0.2:82"]),
            (1080, .tcp, ["fd00::10"], []),
        ] as [(UInt16, TransportProtocol, Set<IPAddress>, [String])])
    func dockersPortsByAddress(
        port: UInt16, transport: TransportProtocol, addresses: Set<IPAddress>, targets: [String]
    ) async {
        let found = await Self.find(
            PortBinding(port, transport), at: addresses, in: HostRules(iptables: HostTexts.docker))
        #expect(found.map(\.leadsTo) == targets)
    }

    @Test func aRangeFindsAllThatTakesPartOfIt() async {
        let rules = HostRules(iptables: HostTexts.docker)
        #expect(
            await Self.find(PortBinding(1000, .tcp), in: rules, last: 2000).map(\.leadsTo)
                == ["172.17.0.2:80", "172.17.0.2:81"])
        #expect(await Self.find(PortBinding(1000, .tcp), in: rules, last: 1079).isEmpty)
    }

    private static func nat(_ rules: String...) -> String {
        "*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:KUBE - [0:0]\n:MESH-DNAT - [0:0]\n"
            + rules.map { "-A \($0)\n" }.joined() + "COMMIT\n"
    }

    /// Rules, and where 443/tcp leads.
    @Test(
        arguments: [
            (nat("PREROUTING -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 8443"), ["port 8443 of this node"]),
            (nat("PREROUTING -p tcp -m multiport --dports 80,443 -j DNAT --to-destination 10.9.0.1"), ["10.9.0.1"]),
            (nat("PREROUTING -p tcp -m multiport ! --dports 80,443 -j DNAT --to-destination 10.9.0.1"), []),
            (nat("PREROUTING -p tcp -m tcp ! --dport 22 -j DNAT --to-destination 10.9.0.1"), ["10.9.0.1"]),
            // What is let alone before the rule is not taken by it.
            (nat("PREROUTING -p tcp -m tcp --dport 443 -j ACCEPT", "PREROUTING -p tcp -j REDIRECT"), []),
            (nat("PREROUTING -i eth0 -j ACCEPT", "PREROUTING -p tcp -j REDIRECT"), ["this node"]),
            // A service's address of Kubernetes is not the node's.
            (
                nat(
                    "PREROUTING -j KUBE",
                    "KUBE -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.9.0.1"), []
            ),
            (
                nat("PREROUTING ! -d 10.0.1.0/24 -p tcp -j DNAT --to-destination 10.9.0.1"),
                // Loopback is not in that network.
                ["10.9.0.1"]
            ),
            (nat("OUTPUT -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.9.0.1"), []),
            (nat("PREROUTING -j MESH-DNAT", "MESH-DNAT -p tcp -j DNAT --to-destination 10.9.0.1"), []),
        ] as [(String, [String])])
    func iptables(text: String, targets: [String]) async {
        #expect(await Self.find(PortBinding(443, .tcp), in: HostRules(iptables: text)).map(\.leadsTo) == targets)
    }

    @Test(
        arguments: [
            (1080, .tcp, ["10.0.0.2:80"]),
            (1080, .udp, []),
            (53, .udp, ["port 5353 of this node"]),
            (8080, .tcp, ["this node"]),
            (7000, .tcp, ["an address of map portmap"]),
            (7001, .tcp, ["an address of map portmap2"]),
            (7002, .tcp, []),
            (7100, .tcp, ["10.0.0.8"]),
            (3005, .tcp, ["10.0.0.9:4000-4010"]),
        ] as [(UInt16, TransportProtocol, [String])])
    func nft(port: UInt16, transport: TransportProtocol, targets: [String]) async {
        let found = await Self.find(
            PortBinding(port, transport),
            in: HostRules(nft: [HostTexts.handwritten], sets: HostTexts.answers, unread: []))
        #expect(found.map(\.leadsTo) == targets)
        #expect(found.allSatisfy { $0.rule.table == "ip nat" && $0.rule.baseChain == "pre" && $0.condition == nil })
    }

    /// Where an element of a map leads is what is said.
    @Test func aMapOfAddressesAndPorts() async {
        let nft = #"""
            {"nftables": [{"table": {"family": "ip", "name": "nat", "handle": 1}},
            {"chain": {"family": "ip", "table": "nat", "name": "pre", "handle": 1, "type": "nat", "hook": "prerouting",
             "prio": -100, "policy": "accept"}},
            {"rule": {"family": "ip", "table": "nat", "chain": "pre", "handle": 2, "expr": [{"dnat": {"addr": {"map": {
             "key": {"payload": {"protocol": "tcp", "field": "dport"}},
             "data": {"set": [[80, {"concat": ["10.0.0.8", 8080]}], [81, {"concat": ["10.0.0.9", 8081]}]]}}}}}]}}]}
            """#
        for (port, targets) in [(80, ["10.0.0.8:8080"]), (81, ["10.0.0.9:8081"]), (82, [])] as [(UInt16, [String])] {
            #expect(await Self.find(PortBinding(port, .tcp), in: HostRules(nft: nft)).map(\.leadsTo) == targets)
        }
    }

    /// A rule for clients who may not come takes nothing of a port.
    @Test func whoMayNotComeIsSentNowhere() async {
        let rules = HostRules(
            iptables: Self.nat("PREROUTING -s 10.9.0.0/16 -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.9.0.1"))
        func conditions(_ allowed: [IPPrefix]) async -> [String?] {
            await ForeignNAT.find(publishing: .tcp, ports: 443...443, at: Self.node, allowed: allowed, in: rules)
                .map(\.condition)
        }
        let everybody = await conditions([])
        #expect(everybody.count == 1 && everybody != [nil])
        #expect(await conditions([IPPrefix("10.8.0.0", length: 16)]) == [])
        #expect(await conditions([IPPrefix("10.9.1.0", length: 24)]) == [nil])
    }

    @Test func aPortThatFirewalldForwards() async {
        let found = await Self.find(PortBinding(8080, .tcp), in: HostRules(nft: HostTexts.firewalld))
        #expect(
            found.map(\.description)
                == ["nft inet firewalld nat_PREROUTING: meta nfproto ipv4 tcp dport 8080 redirect to :80"])
        #expect(
            await Self.find(PortBinding(8080, .tcp), at: ["fd00::10"], in: HostRules(nft: HostTexts.firewalld)).isEmpty)
    }

    @Test func whereNothingWasReadNothingIsFound() async {
        #expect(await Self.find(PortBinding(1080, .tcp), in: HostRules()).isEmpty)
    }
}
