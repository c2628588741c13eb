import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

@Suite struct CompilerTests {
    /// To IPVS they are to be one port; its replies would else go astray (`TrafficTests`).
    @Test func portsWithOneTargetAreTranslatedToTheFirst() throws {
        var spec = MeshSpec()
        try spec.addTask(SpecTask(address: "10.0.0.2"), service: "nginx")
        try spec.addTask(SpecTask(address: "10.0.0.2"), service: "other")
        let ports: [(PortBinding, target: UInt16, service: String, translated: UInt16?)] = [
            (PortBinding(1080, .tcp), 80, "nginx", nil), (PortBinding(1081, .tcp), 80, "nginx", 1080),
            (PortBinding(1082, .tcp), 81, "nginx", nil), (PortBinding(1083, .udp), 80, "nginx", nil),
            (PortBinding(1084, .tcp, at: "192.168.5.1"), 80, "nginx", nil),
            (PortBinding(1085, .tcp, at: "192.168.5.1"), 80, "nginx", 1084),
            (PortBinding(1086, .tcp), 80, "other", nil),
        ]
        for (listening, target, service, _) in ports { try spec.publish(listening, target: target, service: service) }
        let rules = PlanningNode.compile(spec, on: NodeFacts())[.node].rules
        for (listening, _, _, translated) in ports { #expect(rules.ports[listening]?.twin == translated) }
    }

    /// Firewalls let in the port that is there already, and go on doing so when ports with lower numbers come.
    @Test func theFirstOfSuchPortsIsTheOneThatWasPublishedFirst() throws {
        var spec = MeshSpec()
        try spec.addTask(SpecTask(address: "10.0.0.2"), service: "nginx")
        let ports = [1080, 1070, 1090].map { PortBinding($0, .tcp) }
        func translated() -> [UInt16?] {
            let rules = PlanningNode.compile(spec, on: NodeFacts())[.node].rules
            return ports.map { rules.ports[$0]?.twin }
        }
        func translatedAnew(since before: MeshSpec) -> [PortBinding] {
            PortBalancing.portsTranslatedAnew(from: before, to: spec).map(\.port.listening)
        }
        for port in ports {
            let before = spec
            try spec.publish(port, target: 80, service: "nginx")
            #expect(translatedAnew(since: before) == [])
        }
        #expect(translated() == [nil, 1080, 1080])
        // Those that are left are seen otherwise by the firewall, which is looked at again.
        let before = spec
        try spec.unpublish(ports[0])
        #expect(translated() == [nil, nil, 1070])
        #expect(translatedAnew(since: before) == [ports[1], ports[2]])
    }

    /// Where a task's answers come from: each of its ports once, for protocols whose packets can be out of place.
    @Test func theTargetPortsOfATaskAreWhereItAnswersFrom() throws {
        var spec = MeshSpec()
        for address in ["10.0.0.2", "fd00::2"] as [IPAddress] {
            try spec.addTask(SpecTask(address: address, node: "node1"), service: "nginx")
        }
        try spec.addTask(SpecTask(address: "10.0.0.2"), service: "other")
        for (listening, target, service) in [
            (PortBinding(1080, .tcp), 80, "nginx"), (PortBinding(1081, .tcp), 80, "nginx"),
            (PortBinding(53, .udp), 53, "nginx"), (PortBinding(1082, .sctp), 80, "nginx"),
            (PortBinding(2000...2009, .tcp, at: "10.1.0.1"), 85, "nginx"),
            (PortBinding(3000...3009, .tcp), 90, "other"),
        ] as [(PortBinding, UInt16, String)] {
            try spec.publish(listening, target: target, service: service)
        }
        try spec.addTask(SpecTask(address: "10.0.0.9"), service: "unpublished")
        #expect(
            PlanningNode.compile(spec, on: NodeFacts())[.node].rules.answering == [
                TaskPorts("10.0.0.2", .tcp, 80...80), TaskPorts("10.0.0.2", .tcp, 85...99),
                TaskPorts("10.0.0.2", .sctp, 80...80), TaskPorts("fd00::2", .tcp, 80...80),
                TaskPorts("fd00::2", .sctp, 80...80),
            ])
    }

    /// A task that is in no network of the node's; and one of a network to which the node has a route.
    @Test func aTaskIsItsOwnNeighbourWhereverItIs() throws {
        var spec = MeshSpec()
        for address in ["10.9.0.11", "fd09::b", "10.8.0.2", "10.0.0.2"] as [IPAddress] {
            try spec.addTask(SpecTask(address: address, node: "node1"), service: "nginx")
        }
        try spec.addTask(SpecTask(address: "10.9.0.12"), service: "nginx")
        try spec.publish(PortBinding(1080, .tcp), target: 80, service: "nginx")
        var node = NodeFacts()
        node.addresses = [InterfaceAddress(address: "10.0.0.1", prefixLength: 24, interface: "br0")]
        #expect(
            Compiler().lookups(MeshRequest(spec: spec, ledger: PlanningNode.ledger()), on: node)
                == ["10.9.0.11", "fd09::b", "10.8.0.2"])
        node.routes["10.8.0.2"] = RoutedNetwork(prefix: "10.8.0.0/16", interface: "br1")
        #expect(
            PlanningNode.compile(spec, on: node)[.node].rules.hairpins
                == ["10.9.0.11/32", "fd09::b/128", "10.8.0.0/16", "10.0.0.0/24"])
    }

    /// Also tasks from which the client's address is hidden are sent back to by the bridge that they came by.
    @Test(arguments: [true, false]) func filteredBridgesOfTasksTurnPacketsBack(isLocal: Bool) throws {
        var spec = MeshSpec()
        try spec.addTask(SpecTask(address: "10.20.0.2", node: isLocal ? "node1" : nil), service: "nginx")
        try spec.publish(PortBinding(1080, .tcp), target: 80, service: "nginx")
        var node = NodeFacts()
        node.addresses = [InterfaceAddress(address: "10.20.0.1", prefixLength: 24, interface: "br0")]
        node.bridgePorts = .known(["br0": ["veth1": false, "veth2": true], "br1": ["veth3": false]])
        #expect(PlanningNode.compile(spec, on: node)[.node].hairpinPorts.isEmpty)
        node.filtersBridges = true
        let datapath = PlanningNode.compile(spec, on: node)
        #expect(datapath[.node].hairpinPorts == ["veth1", "veth2"])
        #expect(datapath[.node].rules.hairpins == (isLocal ? ["10.20.0.0/24"] : []))
    }
}
