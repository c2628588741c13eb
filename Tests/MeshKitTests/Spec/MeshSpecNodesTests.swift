import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

@Suite struct MeshSpecNodesTests {
    private static func spec(_ names: String...) throws -> MeshSpec {
        var spec = MeshSpec()
        for name in names { try spec.addNode(name) }
        return spec
    }

    @Test func aNodeGetsTheLowestNumberAndTheUsualSubnets() throws {
        var spec = try Self.spec("a", "b", "c")
        #expect(spec.nodes["a"] == MeshNode(number: 1, gatewaySubnets: ["172.18.0.0/16", "fd18:6d65:7368::/64"]))
        // Nobody else sees a gateway bridge, so the nodes may have the same subnets.
        #expect(spec.nodes["b"] == MeshNode(number: 2, gatewaySubnets: ["172.18.0.0/16", "fd18:6d65:7368::/64"]))
        try spec.removeNode("b")
        try spec.addNode("d", address: "192.0.2.4")
        #expect(spec.nodes["d"]?.number == 2 && spec.nodes["c"]?.number == 3)
    }

    @Test func subnetsOfTheHostAreKeptClearOf() throws {
        var spec = MeshSpec()
        let docker = HostNetworks(prefixes: [
            "172.18.0.0/16": "docker_gwbridge", "172.19.4.0/24": "br-1", "fd18:6d65::/32": "eth0",
        ])
        expectRefusal(spec, "meshctl node add a --gateway-subnet CIDR") { try $0.addNode("a", avoiding: docker) }
        var host = docker
        host.prefixes["fd18:6d65::/32"] = nil
        host.prefixes["fd18:6d65:7368:0:1::/80"] = "eth0"
        try spec.addNode("a", avoiding: host)
        #expect(spec.nodes["a"]?.gatewaySubnets == ["172.20.0.0/16", "fd18:6d65:7368:1::/64"])
        // A node on a host that has taken all of 172.16.0.0/12.
        host.prefixes["172.16.0.0/12"] = "vpn0"
        host.prefixes["192.168.5.0/24"] = "eth0"
        host.prefixes["192.168.0.0/22"] = "eth1"
        try spec.addNode("b", avoiding: host)
        #expect(spec.nodes["b"]?.gatewaySubnets.first == "192.168.16.0/20")
        host.prefixes["192.168.0.0/16"] = "vpn0"
        expectRefusal(spec, "no usual subnet is free") { try $0.addNode("c", avoiding: host) }
    }

    /// A VXLAN interface sends over one family.
    @Test func allNodesHaveAddressesOfOneFamily() throws {
        var spec = try Self.spec("a", "b", "c")
        try spec.addNode("b", address: "192.168.5.2")
        for name in ["a", "d"] {
            expectRefusal(
                spec, "fd05::1 is an IPv6 address, and node b is at 192.168.5.2",
                "give an IPv4 address of node \(name)",
                "meshctl apply"
            ) { try $0.addNode(name, address: "fd05::1") }
        }
        // A single address can be changed to the other family.
        try spec.addNode("b", address: "fd05::2")
        try spec.addNode("a", address: "fd05::1")
        expectRefusal(spec, "10.0.0.3 is an IPv4 address, and node a is at fd05::1") {
            try $0.addNode("c", address: "10.0.0.3")
        }
        #expect(SpecCheck.faults(of: spec).isEmpty)
        spec.nodes["c"]!.address = "10.0.0.3"
        #expect(
            SpecCheck.faults(of: spec) == [
                SpecFault(
                    .node("c")("address"),
                    "10.0.0.3 is an IPv4 address, and node a is at fd05::1: all nodes reach each other by one family")
            ])
    }

    @Test func chosenGatewaySubnets() throws {
        var spec = try Self.spec("a")
        try spec.createNetwork("back", subnets: ["10.0.1.0/24"])
        try spec.addNode("b", gatewaySubnets: ["fd00::/64", "10.9.0.0/24"])
        #expect(spec.nodes["b"]?.gatewaySubnets == ["10.9.0.0/24", "fd00::/64"], "IPv4 first")
        #expect(spec.nodes["b"]?.gateways == ["10.9.0.1", "fd00::1"])
        try spec.addNode("a", gatewaySubnets: ["10.9.0.0/24"])
        #expect(spec.nodes["a"]?.gatewaySubnets == ["10.9.0.0/24"], "nothing is attached there yet")
        let host = HostNetworks(prefixes: ["10.7.0.0/16": "eth7"])
        for (subnets, words): ([IPPrefix], String) in [
            ([], "needs a subnet"), (["10.0.0.0/16"], "network back has 10.0.1.0/24"),
            (["10.7.1.0/24"], "the interface eth7 of this host leads to 10.7.0.0/16"),
            (["10.1.0.0/16", "10.2.0.0/16"], "one subnet of each family"), (["10.1.0.0/30"], "too small"),
            (["fd00::/121"], "too small"), (["127.1.0.0/16"], "overlaps 127.0.0.0/8"),
            (["10.1.0.0/16", "10.1.0.0/16"], "written twice"),
        ] {
            expectRefusal(spec, words) { try $0.addNode("c", gatewaySubnets: subnets, avoiding: host) }
        }
    }

    /// A task without a default route has a way out by each family.
    @Test func aChosenGatewaySubnetIsNotTheOnlyOne() throws {
        var spec = MeshSpec()
        let host = HostNetworks(prefixes: ["fd18:6d65:7368::/64": "eth0"])
        try spec.addNode("a", address: nil, choosing: ["172.30.0.0/16"], avoiding: host)
        #expect(spec.nodes["a"]?.gatewaySubnets == ["172.30.0.0/16", "fd18:6d65:7368:1::/64"])
        try spec.addNode("b", address: "172.18.0.3", choosing: ["fd00::/64"], avoiding: HostNetworks())
        #expect(spec.nodes["b"]?.gatewaySubnets == ["172.19.0.0/16", "fd00::/64"])
        // What is not chosen stays.
        try spec.addNode("a", address: nil, choosing: ["172.31.0.0/16"], avoiding: HostNetworks())
        #expect(spec.nodes["a"]?.gatewaySubnets == ["172.31.0.0/16", "fd18:6d65:7368:1::/64"])
        try spec.addNode("c", address: nil, choosing: nil, avoiding: HostNetworks())
        #expect(spec.nodes["c"]?.gatewaySubnets.count == 2)
        expectRefusal(spec, "needs a subnet") { try $0.addNode("d", address: nil, choosing: [], avoiding: host) }
        // Where no usual one is free, one that is chosen is enough.
        let taken = HostNetworks(prefixes: ["fd18::/16": "eth0"])
        try spec.addNode("e", address: nil, choosing: ["172.30.0.0/16"], avoiding: taken)
        #expect(spec.nodes["e"]?.gatewaySubnets == ["172.30.0.0/16"])
        // A node of an earlier version is as it was when it is added again.
        try spec.ensureIngress(node: "e")
        try spec.attach(.init(namespace: "/run/netns/t1", node: "e"), service: "web")
        let before = spec
        try spec.addNode("e", address: nil, choosing: ["172.30.0.0/16"], avoiding: HostNetworks())
        #expect(spec == before)
    }

    @Test func aNodeAddedAgainGetsItsAddressOnly() throws {
        var spec = try Self.spec("a", "b")
        let before = spec.nodes["a"]
        try spec.addNode("a", address: "192.0.2.1")
        try spec.addNode("a")
        #expect(spec.nodes["a"]?.address == "192.0.2.1")
        try spec.addNode("a", address: "192.0.2.9")
        #expect(spec.nodes["a"]?.address == "192.0.2.9")
        #expect(spec.nodes["a"]?.number == before?.number && spec.nodes["a"]?.gatewaySubnets == before?.gatewaySubnets)
    }

    @Test func anAddressHasOneNode() throws {
        var spec = try Self.spec("a", "b")
        try spec.addNode("a", address: "192.0.2.1")
        expectRefusal(spec, "is the address of node a", "meshctl node rm a") {
            try $0.addNode("b", address: "192.0.2.1")
        }
        try spec.createNetwork("back", subnets: ["10.0.1.0/24"])
        expectRefusal(spec, "is in 10.0.1.0/24 of network back") { try $0.addNode("b", address: "10.0.1.9") }
    }

    /// Packets for an address in a node's gateway subnet stay on that node.
    @Test func noNodeIsInAGatewaySubnet() throws {
        var spec = try Self.spec("a")
        for (name, address): (String, IPAddress) in [
            ("b", "172.18.4.4"), ("a", "172.18.4.4"), ("b", "fd18:6d65:7368::9"),
        ] {
            expectRefusal(
                spec, "of the gateway bridge of node a, which could send nothing to it",
                "meshctl node add a --gateway-subnet CIDR"
            ) { try $0.addNode(name, address: address) }
        }
        expectRefusal(spec, "172.30.0.1 is in 172.30.0.0/16 of the gateway bridge of node b") {
            try $0.addNode("b", address: "172.30.0.1", gatewaySubnets: ["172.30.0.0/16"])
        }
        // The usual subnets keep clear of the node itself.
        var other = MeshSpec()
        try other.addNode("a", address: "172.18.4.4")
        #expect(other.nodes["a"]?.gatewaySubnets.first == "172.19.0.0/16")
        // Both can be changed at a time.
        try spec.addNode("a", address: "172.18.4.4", gatewaySubnets: ["172.19.0.0/16"])
        try spec.addNode("a", address: "172.19.4.4", gatewaySubnets: ["172.18.0.0/16"])
        #expect(SpecCheck.faults(of: spec).isEmpty)
        spec.nodes["a"]!.address = "172.18.4.4"
        #expect(
            SpecCheck.faults(of: spec).map(\.sites) == [
                [
                    .init(
                        path: .node("a")("address"),
                        words:
                            "172.18.4.4 is in 172.18.0.0/16 of the gateway bridge of node a, which could send nothing "
                            + "to it"
                    )
                ]
            ])
    }

    @Test(
        arguments: [
            ("127.0.0.1", "loopback"), ("::1", "loopback"), ("0.0.0.0", "no address of a host"),
            ("::", "no address of a host"), ("0.1.2.3", "no address of a host"), ("224.0.0.1", "multicast"),
            ("ff02::1", "multicast"), ("fe80::1", "link-local"), ("255.255.255.255", "reserved"),
            ("::ffff:192.0.2.1", "write it as 192.0.2.1"), ("169.254.113.2", "meshctl's own"),
        ] as [(IPAddress, String)])
    func addressesThatNoNodeHas(address: IPAddress, words: String) throws {
        expectRefusal(try Self.spec("a"), words) { try $0.addNode("a", address: address) }
        expectRefusal(MeshSpec(), words) { try $0.addNode("a", address: address) }
    }

    @Test(arguments: ["", "a b", "-a", ".a", "a/b", "(none)", String(repeating: "a", count: 64)])
    func namesThatNoNodeHas(name: String) {
        expectRefusal(MeshSpec(), "is no node name", "63 characters") { try $0.addNode(name) }
    }

    @Test func aNodeHasABalancerOnEachNetwork() throws {
        var spec = try Self.spec("a", "b")
        try spec.createNetwork(MeshNetwork.ingress)
        try spec.createNetwork("back", subnets: ["10.0.1.0/29"])
        try spec.addNode("c")
        #expect(
            spec.networks["ingress"]?.balancers == [
                "a": ["10.255.0.2", "fd25:6d65:7368::2"], "b": ["10.255.0.3", "fd25:6d65:7368::3"],
                "c": ["10.255.0.4", "fd25:6d65:7368::4"],
            ])
        #expect(spec.networks["back"]?.balancers == ["a": ["10.0.1.2"], "b": ["10.0.1.3"], "c": ["10.0.1.4"]])
        try spec.addNode("d")
        try spec.addNode("e")
        expectRefusal(spec, "network back has no free address: 5 in use of 10.0.1.0/29") { try $0.addNode("f") }
        try spec.removeNode("b")
        #expect(spec.networks["back"]?.balancers["b"] == nil && spec.networks["ingress"]?.balancers.count == 4)
        try spec.addNode("f")
        #expect(spec.networks["back"]?.balancers["f"] == ["10.0.1.3"])
    }

    @Test func aNodeWithAttachedTasksStays() throws {
        var spec = MeshSpec()
        try spec.ensureIngress(node: "a")
        try spec.attach(.init(namespace: "/run/netns/t1", node: "a"), service: "web")
        expectRefusal(
            spec, "10.255.0.3 of service web", "`meshctl task detach web --node a`"
        ) { try $0.removeNode("a") }
        expectRefusal(spec, "tasks are attached") { try $0.addNode("a", gatewaySubnets: ["10.9.0.0/24"]) }
        try spec.addNode("a", gatewaySubnets: spec.nodes["a"]!.gatewaySubnets.reversed())
        try spec.detach(.node("a"), service: "web")
        try spec.removeNode("a")
        #expect(spec.nodes.isEmpty && spec.networks["ingress"]?.balancers == [:])
        expectRefusal(spec, "there is no node \"a\"", "meshctl node ls") { try $0.removeNode("a") }
    }
}
