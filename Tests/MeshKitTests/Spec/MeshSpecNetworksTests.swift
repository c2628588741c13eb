import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

@Suite struct MeshSpecNetworksTests {
    @Test func theFirstNetworks() throws {
        var spec = MeshSpec()
        try spec.createNetwork("ingress")
        try spec.createNetwork("back")
        try spec.createNetwork("front")
        #expect(
            spec.networks["ingress"]
                == MeshNetwork(identifier: 4096, subnets: ["10.255.0.0/16", "fd25:6d65:7368::/64"])
        )
        #expect(spec.networks["back"] == MeshNetwork(identifier: 4097, subnets: ["10.0.0.0/24"]))
        #expect(spec.networks["front"] == MeshNetwork(identifier: 4098, subnets: ["10.0.1.0/24"]))
        try spec.removeNetwork("back")
        try spec.createNetwork("third")
        #expect(spec.networks["third"] == MeshNetwork(identifier: 4097, subnets: ["10.0.0.0/24"]), "the lowest free")
    }

    @Test func theHostIsKeptClearOf() throws {
        var spec = MeshSpec()
        let host = HostNetworks(
            prefixes: ["10.255.3.0/24": "eth0", "10.254.0.0/15": "vpn0", "10.0.0.0/23": "eth1", "fd25::/16": "eth0"],
            tunnels: [.init(4096, port: 8472)])
        try spec.createNetwork("ingress", avoiding: host)
        try spec.createNetwork("back", avoiding: host)
        #expect(spec.networks["ingress"] == MeshNetwork(identifier: 4096, subnets: ["10.253.0.0/16"]), "IPv4 alone")
        #expect(spec.networks["back"] == MeshNetwork(identifier: 4097, subnets: ["10.0.2.0/24"]))
        let all = HostNetworks(prefixes: ["10.0.0.0/8": "vpn0"])
        expectRefusal(spec, "meshctl network create more --subnet CIDR") { try $0.createNetwork("more", avoiding: all) }
    }

    /// The first network chooses the port, and all keep it. Numbers are taken on that port alone.
    @Test func theTunnelsOfTheHostArePassedOver() throws {
        var spec = MeshSpec()
        let swarm = HostNetworks(tunnels: [.init(4096), .init(4097), .init(5, port: 4791)])
        try spec.createNetwork("ingress", avoiding: swarm)
        try spec.createNetwork("back", avoiding: swarm)
        #expect(spec.networks["ingress"]?.port == 4790 && spec.networks["ingress"]?.identifier == 4096)
        #expect(spec.networks["back"]?.port == 4790 && spec.networks["back"]?.identifier == 4097)
        let later = HostNetworks(tunnels: [.init(4098, port: 4790), .init(4099)])
        try spec.createNetwork("front", avoiding: later)
        #expect(spec.networks["front"]?.port == 4790 && spec.networks["front"]?.identifier == 4099)
    }

    /// Packets between the nodes must not be balanced to the tasks of a service.
    @Test func aPublishedPortCarriesNoNetwork() throws {
        var spec = MeshSpec()
        try spec.publish(PortBinding(4700...4800, .udp), target: 4700, service: "dns")
        try spec.publish(PortBinding(4801, .tcp), target: 80, service: "dns")
        try spec.publish(PortBinding(4802, .udp, at: "192.168.5.1"), target: 53, service: "dns")
        try spec.createNetwork("ingress", avoiding: HostNetworks(tunnels: [.init(7, port: 4801)]))
        #expect(spec.networks["ingress"]?.port == 4803)
        for listening in [PortBinding(4803, .udp), PortBinding(4803...4900, .udp, at: "192.168.5.1")] {
            expectRefusal(
                spec, "\(listening) is taken: network ingress sends its packets between the nodes to UDP port 4803"
            ) {
                try $0.publish(listening, target: 4803, service: "more")
            }
        }
        try spec.publish(PortBinding(4803, .tcp), target: 80, service: "more")
        #expect(SpecCheck.faults(of: spec).isEmpty)
        // A mesh of an earlier version may have it. Its ports can be changed.
        spec.networks["ingress"]!.port = 4789
        #expect(SpecCheck.faults(of: spec).count == 1)
        try spec.publish(PortBinding(4700...4800, .udp), target: 4701, service: "dns")
    }

    @Test func aNetworkOfBothFamilies() throws {
        var spec = MeshSpec()
        try spec.addNode("a")
        try spec.createNetwork("six", subnets: ["fd00:6::/64"], identifier: 77)
        try spec.createNetwork("both", subnets: ["fd00:7::/64", "10.7.0.0/16"])
        #expect(spec.networks["six"]?.identifier == 77 && spec.networks["six"]?.balancers == ["a": ["fd00:6::2"]])
        #expect(spec.networks["both"]?.subnets == ["10.7.0.0/16", "fd00:7::/64"])
        #expect(spec.networks["both"]?.balancers == ["a": ["10.7.0.2", "fd00:7::2"]])
        #expect(spec.networks["both"]?.gateways == ["10.7.0.1", "fd00:7::1"])
    }

    @Test func creatingTwiceChangesNothing() throws {
        var spec = MeshSpec()
        try spec.createNetwork("back", subnets: ["10.1.0.0/24"], identifier: 5000)
        let once = spec
        try spec.createNetwork("back")
        try spec.createNetwork("back", subnets: ["10.1.0.0/24"])
        try spec.createNetwork("back", identifier: 5000, avoiding: HostNetworks(prefixes: ["10.1.0.0/16": "eth0"]))
        #expect(spec == once)
        expectRefusal(spec, "with VNI 5000 and 10.1.0.0/24", "meshctl network rm back") {
            try $0.createNetwork("back", subnets: ["10.2.0.0/24"])
        }
        expectRefusal(spec, "with VNI 5000") { try $0.createNetwork("back", identifier: 5001) }
    }

    @Test(
        arguments: [
            (["10.0.1.0/24", "10.0.2.0/24"], "one subnet of each family"), (["10.1.0.0/30"], "too small"),
            (["10.1.0.4/32"], "too small"), (["fd00::/121"], "too small"), (["0.0.0.0/0"], "no host has an address"),
            (["127.5.0.0/16"], "overlaps 127.0.0.0/8"), (["224.1.0.0/16"], "overlaps 224.0.0.0/4"),
            (["240.0.0.0/8"], "overlaps 240.0.0.0/4"), (["169.254.1.0/24"], "overlaps 169.254.0.0/16"),
            (["0.1.0.0/16"], "overlaps 0.0.0.0/8"), (["fe80:1::/64"], "overlaps fe80::/10"),
            (["ff05::/64"], "overlaps ff00::/8"), (["::ffff:10.1.0.0/112"], "write it as 10.1.0.0/16"),
            (["10.0.1.128/25"], "network back has 10.0.1.0/24"), (["10.0.0.0/8"], "network back has 10.0.1.0/24"),
            (["172.18.5.0/24"], "the gateway bridge of node a has 172.18.0.0/16"),
            (["192.0.2.0/24"], "node a is at 192.0.2.1"),
            (["192.168.5.0/25"], "eth0 of this host leads to 192.168.5.0/24"),
            (["10.8.0.0/16"], "task 10.8.0.9 of service web"),
        ] as [([IPPrefix], String)])
    func subnetsThatNoNetworkHas(subnets: [IPPrefix], words: String) throws {
        var spec = MeshSpec()
        try spec.addNode("a", address: "192.0.2.1")
        try spec.createNetwork("back", subnets: ["10.0.1.0/24"])
        try spec.addTask(SpecTask(address: "10.8.0.9"), service: "web")
        let host = HostNetworks(prefixes: ["192.168.5.0/24": "eth0"])
        expectRefusal(spec, words) { try $0.createNetwork("other", subnets: subnets, avoiding: host) }
    }

    @Test(arguments: ["", "a b", "-a", "a/b", "0123456789abcdef"]) func namesThatNoNetworkHas(name: String) {
        expectRefusal(MeshSpec(), "is no network name", "15 characters") { try $0.createNetwork(name) }
    }

    @Test(arguments: ["host", "node"]) func reservedNames(name: String) throws {
        expectRefusal(MeshSpec(), "choose another name") { try $0.createNetwork(name) }
        var spec = MeshSpec()
        try spec.createNetwork("0123456789abcde")
    }

    @Test func identifiersThatNoNetworkHas() throws {
        var spec = MeshSpec()
        try spec.createNetwork("back", identifier: 5000)
        try spec.createNetwork("last", identifier: 0xFF_FFFF)
        let host = HostNetworks(tunnels: [.init(42), .init(43, port: 8472)])
        for (identifier, words): (UInt32, String) in [
            (0, "is no VNI"), (0x100_0000, "numbers from 1 to 16777215"), (5000, "network back has the VNI 5000"),
            (42, "an interface of this host has the VNI 42"),
        ] {
            expectRefusal(spec, words) { try $0.createNetwork("new", identifier: identifier, avoiding: host) }
        }
        try spec.createNetwork("new", identifier: 43, avoiding: host)
    }

    @Test func aNetworkInUseStays() throws {
        var spec = MeshSpec()
        try spec.ensureIngress(node: "a")
        try spec.createNetwork("back")
        let task = try spec.attach(.init(namespace: "/run/netns/t1", node: "a", networks: ["back"]), service: "web")
        expectRefusal(spec, "\(task.address) of service web", "meshctl task detach") { try $0.removeNetwork("ingress") }
        expectRefusal(spec, "the service web", "meshctl network disconnect back web") { try $0.removeNetwork("back") }
        try spec.disconnect(["web"], from: "back")
        try spec.removeNetwork("back")
        try spec.removeService("web")
        try spec.removeNetwork("ingress")
        #expect(spec.networks.isEmpty)
        expectRefusal(spec, "there is no network \"back\"", "meshctl network ls") { try $0.removeNetwork("back") }
    }

    // MARK: Who is on a network

    @Test func servicesJoinAndLeaveWithTheirTasks() throws {
        var spec = MeshSpec()
        for node in ["a", "b"] { try spec.ensureIngress(node: node) }
        try spec.createNetwork("back", subnets: ["10.0.1.0/24", "fd00:1::/64"])
        for (node, service) in [("a", "web"), ("b", "web"), ("a", "redis")] {
            try spec.attach(.init(namespace: "/run/netns/\(service)", node: node), service: service)
        }
        let before = spec
        try spec.connect(["web", "redis", "web"], to: "back", avoiding: [0x100])
        #expect(spec.services["redis"]?.virtualAddresses["back"]?.mark == 0x101)
        #expect(spec.services["redis"]?.virtualAddresses["back"]?.addresses == ["10.0.1.4", "fd00:1::4"])
        #expect(spec.services["redis"]?.tasks.first?.attachment?.addresses["back"] == ["10.0.1.5", "fd00:1::5"])
        #expect(spec.usedAddresses(on: "back").count == 2 * (2 + 2 + 3))
        #expect(spec.services["web"]?.tasks.map(\.address) == before.services["web"]?.tasks.map(\.address))
        #expect(SpecCheck.faults(of: spec).isEmpty)
        let connected = spec
        try spec.connect(["web"], to: "back")
        #expect(spec == connected, "again")
        // A later task joins by itself.
        let task = try spec.attach(.init(namespace: "/run/netns/t9", node: "a"), service: "web")
        #expect(task.attachment?.addresses.keys.sorted() == ["back", "ingress"])
        try spec.detach(.address(task.address), service: "web")
        try spec.disconnect(["redis"], from: "back")
        #expect(spec.services["redis"] == before.services["redis"] && spec.services["web"] == connected.services["web"])
        try spec.disconnect(["web"], from: "back")
        #expect(spec == before)
    }

    /// A namespace is on the networks of all services of which it is a task.
    @Test func servicesThatShareANamespaceJoinAndLeaveTogether() throws {
        var spec = MeshSpec()
        try spec.ensureIngress(node: "a")
        try spec.createNetwork("back", subnets: ["10.0.1.0/24"])
        for service in ["web", "metrics"] {
            try spec.attach(.init(namespace: "/run/netns/t1", node: "a"), service: service)
        }
        let before = spec
        expectRefusal(spec, "one of service metrics, too", "`meshctl network connect back web metrics`") {
            try $0.connect(["web"], to: "back")
        }
        try spec.connect(["web", "metrics"], to: "back")
        #expect(spec.services["web"]?.tasks == spec.services["metrics"]?.tasks)
        #expect(spec.services["web"]?.tasks.first?.attachment?.addresses["back"]?.count == 1)
        #expect(SpecCheck.faults(of: spec).isEmpty)
        expectRefusal(spec, "one of service web, too", "`meshctl network disconnect back metrics web`") {
            try $0.disconnect(["metrics"], from: "back")
        }
        try spec.disconnect(["metrics", "web"], from: "back")
        #expect(spec == before)
    }

    @Test func whoCannotJoinOrLeave() throws {
        var spec = MeshSpec()
        try spec.ensureIngress(node: "a")
        try spec.createNetwork("back", subnets: ["10.0.1.0/29"])
        for number in 1...4 {
            try spec.attach(.init(namespace: "/run/netns/t\(number)", node: "a"), service: "web")
        }
        try spec.addTask(SpecTask(address: "10.0.0.9"), service: "reached")
        try spec.createService("empty")
        for edit: (inout MeshSpec, [String], String) throws -> Void in [
            { try $0.connect($1, to: $2) }, { try $0.disconnect($1, from: $2) },
        ] {
            expectRefusal(spec, "every attached task is on network ingress") { try edit(&$0, ["web"], "ingress") }
            expectRefusal(spec, "no network \"front\"") { try edit(&$0, ["web"], "front") }
            expectRefusal(spec, "no service \"nobody\"") { try edit(&$0, ["nobody", "web"], "back") }
        }
        expectRefusal(spec, "such as 10.0.0.9", "leave the service out") { try $0.connect(["reached"], to: "back") }
        expectRefusal(spec, "network back has no free address: 5 in use") { try $0.connect(["web"], to: "back") }
        expectRefusal(spec, "empty is not on network back", "meshctl network inspect back") {
            try $0.disconnect(["empty"], from: "back")
        }
    }

    @Test func whatTheFirstTaskNeeds() throws {
        var spec = MeshSpec()
        let host = HostNetworks(prefixes: ["172.18.0.0/16": "docker_gwbridge", "10.255.0.0/24": "eth0"])
        try spec.ensureIngress(node: "a", avoiding: host)
        #expect(spec.nodes["a"]?.gatewaySubnets.first == "172.19.0.0/16")
        #expect(spec.networks["ingress"]?.subnets.first == "10.254.0.0/16")
        #expect(spec.networks["ingress"]?.balancers["a"]?.first == "10.254.0.2")
        let once = spec
        try spec.ensureIngress(node: "a")
        #expect(spec == once)
        try spec.ensureIngress(node: "b")
        #expect(spec.networks["ingress"]?.balancers["b"]?.first == "10.254.0.3")
    }
}
