import FakeKernel
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// A host that refuses a network: its tasks are joined to the others.
@Suite struct RefusedNetworksTests {
    private static let task = "/run/netns/t1"

    /// A node with a task on the networks `ingress` and `back`, whose kernel has a VXLAN interface of a number already:
    /// in a namespace that nobody can find any more.
    private static func node(holding identifier: UInt32) async throws -> FakeNode {
        let node = FakeNode()
        node.kernel.withState { state in
            state.addTask(task, inode: 7)
            state.addTask("lost", inode: 8)
            var held = FakeNamespace.Interface(
                index: 99, kind: "vxlan", hardwareAddress: HardwareAddress([2, 0, 0, 0, 0, 9]))
            held.vxlan = VXLAN(identifier: identifier, port: 4789, local: "192.168.5.1")
            held.birthplace = "node"
            state.namespaces["lost"]!.interfaces["vxlan0"] = held
        }
        let mesh = mesh(node)
        _ = try await mesh.addNode("a", address: "192.168.5.1")
        _ = try await mesh.createNetwork("back", identifier: 5000)
        _ = try await mesh.attach(task, service: "web", networks: ["back"])
        _ = try await mesh.change { spec, view in
            try spec.publish(PortBinding(1080, .tcp), target: 80, service: "web", avoiding: view.takenMarks)
        }
        return node
    }

    private static func mesh(_ node: FakeNode) -> Mesh {
        node.mesh(named: "a")
    }

    private static func interfaces(_ node: FakeNode) -> [String] {
        node.kernel.withState { $0.namespaces[task]!.interfaces.keys.sorted() }
    }

    @Test(
        arguments: [
            (4096, "ingress", ["mesh5000"]), (5000, "back", ["mesh4096", "meshgw"]),
        ] as [(UInt32, String, [String])])
    func aTaskIsJoinedToTheOtherNetworks(identifier: UInt32, network: String, interfaces: [String]) async throws {
        let node = try await Self.node(holding: identifier)
        #expect(Self.interfaces(node) == interfaces)
        let plan = try await Self.mesh(node).plan()
        #expect(plan.isEmpty, "\(plan.steps.map(\.description))")
        let note = "is not joined to the network \(network), which this host does without"
        #expect(plan.notes.contains { $0.hasPrefix("task 10.") && $0.contains(note) }, "\(plan.notes)")
        #expect(try node.ledgers.load()?[.task(Self.task)].refusal == nil)
        // What was in the way goes.
        node.kernel.withState { $0.removeTask("lost") }
        _ = try await Self.mesh(node).reconcile(retry: true)
        #expect(Self.interfaces(node) == ["mesh4096", "mesh5000", "meshgw"])
        let after = try await Self.mesh(node).plan()
        #expect(after.isEmpty && after.notes.isEmpty, "\(after.steps.map(\.description)) \(after.notes)")
    }

    @Test func aTaskWithoutAnyNetworkLeftHasNothing() async throws {
        let node = try await Self.node(holding: 4096)
        node.kernel.withState { state in
            var held = state.namespaces["lost"]!.interfaces["vxlan0"]!
            held.vxlan?.identifier = 5000
            state.namespaces["lost"]!.interfaces["vxlan1"] = held
            state.deleteNamespace("mesh_back")
        }
        _ = try await Self.mesh(node).reconcile()
        #expect(Self.interfaces(node) == [])
        #expect(node.kernel.withState { $0.namespaces[Self.task]!.rules }.isEmpty)
        #expect(try await Self.mesh(node).plan().isEmpty)
    }
}
