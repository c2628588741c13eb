import FakeKernel
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Notes on what the mesh has wrong of the node itself.
@Suite struct NodeNotesTests {
    /// Two nodes, and a task on the second.
    private static func spec() throws -> MeshSpec {
        var spec = MeshSpec()
        try spec.addNode("n1", address: "192.168.5.1")
        try spec.addNode("n2.example.org", address: "192.168.5.2")
        try spec.createNetwork("ingress")
        try spec.attach(.init(namespace: "/run/netns/t1", node: "n2.example.org"), service: "web")
        return spec
    }

    private static func notes(_ spec: MeshSpec, on name: String, at addresses: IPAddress...) -> [String] {
        let facts = NodeFacts(
            addresses: addresses.map { InterfaceAddress(address: $0, prefixLength: 24, interface: "eth0") })
        return MeshRequest(spec: spec, ledger: Ledger(node: name, id: "0")).notesOnNode(at: facts)
    }

    @Test func aNodeThatTheMeshDoesNotKnow() throws {
        var spec = try Self.spec()
        let notes = Self.notes(spec, on: "n2", at: "192.168.5.2")
        #expect(notes.count == 1 && notes[0].hasPrefix("this node is n2, and the mesh knows n1 and n2.example.org: "))
        #expect(notes.first?.contains("--node") == true)
        #expect(Self.notes(spec, on: "n1", at: "192.168.5.1") == [])
        // Where nothing is attached, a node may stand aside.
        try spec.detach(.node("n2.example.org"), service: "web")
        #expect(Self.notes(spec, on: "n2", at: "192.168.5.2") == [])
        try spec.publish(
            PortBinding(1080, .tcp), target: 80, service: "web", options: PublishOptions(balancing: .ingress))
        #expect(Self.notes(spec, on: "n2", at: "192.168.5.2").count == 1)
        #expect(Self.notes(MeshSpec(), on: "n2", at: "192.168.5.2") == [])
    }

    @Test func anAddressThatTheHostDoesNotHave() throws {
        var spec = try Self.spec()
        let notes = Self.notes(spec, on: "n1", at: "127.0.0.1", "192.168.5.11")
        #expect(
            notes.count == 1 && notes[0].hasPrefix("this host has no address 192.168.5.1, at which the other nodes"))
        #expect(notes.first?.contains("`meshctl node add n1 --address IP`") == true)
        spec.nodes["n1"]!.address = nil
        #expect(Self.notes(spec, on: "n1", at: "192.168.5.1").first?.contains("know no address of node n1") == true)
        // A single node needs none.
        try spec.detach(.node("n2.example.org"), service: "web")
        try spec.removeNode("n2.example.org")
        #expect(Self.notes(spec, on: "n1", at: "192.168.5.1") == [])
    }

    @Test func planAndChangesSayIt() async throws {
        let node = FakeNode()
        let mesh = node.mesh(named: "n1")
        _ = try await mesh.addNode("n2", address: "192.168.5.2")
        let added = try await mesh.addNode("n1", address: "192.168.5.77")
        #expect(added.change.plan.notes.contains { $0.hasPrefix("this host has no address 192.168.5.77") })
        #expect(try await mesh.plan().notes == added.change.plan.notes)
        let repaired = try await mesh.addNode("n1", address: "192.168.5.1")
        #expect(repaired.change.plan.notes == [])
        let file = try MeshFile(yaml: try Self.spec().yaml, name: "mesh.yaml")
        let applied = try await FakeNode().mesh(named: "n2").apply(file)
        #expect(applied.change.plan.notes.contains { $0.hasPrefix("this node is n2, and the mesh knows n1 and") })
    }
}
