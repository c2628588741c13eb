import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

@Suite struct CompilerTests {
    /// To IPVS they are to be one port; its replies would else go astray (`TrafficTests`).
    @Test func portsWithOneTargetAreTranslatedToTheFirst() throws {
        var state = MeshState()
        try state.addTask(MeshTask(address: "10.0.0.2"), service: "nginx")
        try state.addTask(MeshTask(address: "10.0.0.2"), service: "other")
        let ports: [(PortBinding, target: UInt16, service: String, translated: UInt16?)] = [
            (PortBinding(1080, .tcp), 80, "nginx", nil), (PortBinding(1081, .tcp), 80, "nginx", 1080),
            (PortBinding(1082, .tcp), 81, "nginx", nil), (PortBinding(1083, .udp), 80, "nginx", nil),
            (PortBinding(1084, .tcp, at: "192.168.5.1"), 80, "nginx", nil),
            (PortBinding(1085, .tcp, at: "192.168.5.1"), 80, "nginx", 1084),
            (PortBinding(1086, .tcp), 80, "other", nil),
        ]
        for (listening, target, service, _) in ports { try state.publish(listening, target: target, service: service) }
        let rules = Compiler.compile(state, on: NodeFacts()).rules
        for (listening, _, _, translated) in ports { #expect(rules.ports[listening]?.twin == translated) }
    }

    /// Also tasks from which the client's address is hidden are sent back to by the bridge that they came by.
    @Test(arguments: [true, false]) func filteredBridgesOfTasksTurnPacketsBack(isLocal: Bool) throws {
        var state = MeshState()
        try state.addTask(MeshTask(address: "10.20.0.2", isLocal: isLocal), service: "nginx")
        try state.publish(PortBinding(1080, .tcp), target: 80, service: "nginx")
        var node = NodeFacts()
        node.addresses = [InterfaceAddress(address: "10.20.0.1", prefixLength: 24, interface: "br0")]
        node.bridgePorts = ["br0": ["veth1": false, "veth2": true], "br1": ["veth3": false]]
        #expect(Compiler.compile(state, on: node).hairpinPorts.isEmpty)
        node.filtersBridges = true
        let datapath = Compiler.compile(state, on: node)
        #expect(datapath.hairpinPorts == ["veth1", "veth2"])
        #expect(datapath.rules.hairpins == (isLocal ? ["10.20.0.0/24"] : []))
    }
}
