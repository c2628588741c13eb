import FakeKernel
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// What keeps connections apart that one port of a client has by several nodes: conntrack zones in the tasks of a node
/// that has them, and source ports of each node's own unless all nodes with tasks have them.
@Suite struct ZonesTests {
    /// A mesh of nodes, with a task on each of the first.
    private static func spec(_ zones: [Bool], tasks: Int) throws -> MeshSpec {
        var spec = MeshSpec()
        for (index, hasZones) in zones.enumerated() {
            let name = "node\(index + 1)"
            try spec.addNode(name, address: IPAddress("192.168.5.\(index + 1)")!)
            spec.nodes[name]!.hasZones = hasZones
        }
        try spec.createNetwork("ingress")
        for number in 1...tasks {
            let request = TaskAttachmentRequest(namespace: "/run/netns/t\(number)", node: "node\(number)")
            try spec.attach(request, service: "web")
        }
        return spec
    }

    private static func sourcePorts(_ spec: MeshSpec, on number: Int = 1) -> ClosedRange<UInt16>? {
        MeshRequest(spec: spec, ledger: Ledger(node: "node\(number)", id: "0")).sourcePorts
    }

    /// A node without tasks need not have zones: they are in the tasks.
    @Test func sourcePortsStayIfEveryNodeWithTasksHasZones() throws {
        #expect(Self.sourcePorts(try Self.spec([true, true, true], tasks: 3)) == nil)
        #expect(Self.sourcePorts(try Self.spec([true, true, false], tasks: 2)) == nil)
        #expect(Self.sourcePorts(try Self.spec([false], tasks: 1)) == nil, "the only node")
    }

    /// In a mesh of both kinds, all nodes send packets to all tasks from source ports of their own.
    @Test func oneNodeWithoutZonesGivesEachNodeItsSourcePorts() throws {
        let spec = try Self.spec([true, false, true], tasks: 2)
        let ports = (1...3).compactMap { Self.sourcePorts(spec, on: $0) }
        #expect(ports == [1024...17151, 17152...33279, 33280...49407])
    }

    /// Whatever the spec says, a task has zones if its own kernel has them.
    @Test(arguments: RuleTool.allCases, [true, false])
    func theKernelDecidesForItsOwnTasks(tool: RuleTool, hasZones: Bool) async throws {
        let node = FakeNode()
        let task = "/run/netns/t1"
        node.kernel.withState { state in
            state.facts.hasZones = hasZones
            state.addTask(task, inode: 7)
        }
        let mesh = node.mesh(tool: tool, named: "a")
        let attached = try await mesh.attach(task, service: "web")
        #expect(attached.change.spec.nodes["a"]?.hasZones == hasZones, "the spec says it to the other nodes")
        func isZoned() -> Bool? {
            guard case .task(let path)? = node.kernel.withState({ $0.namespaces[task]!.rules[tool]?.role }) else {
                return nil
            }
            return path.hasZones
        }
        #expect(isZoned() == hasZones)
        try await expectNothing(mesh)

        // The host boots another kernel.
        node.kernel.withState { $0.facts.hasZones = !hasZones }
        let plan = try await mesh.plan()
        #expect(!plan.isEmpty)
        #expect(plan.notes.contains { $0.contains("`meshctl node add a`") } == hasZones, "\(plan.notes)")
        _ = try await mesh.addNode("a", address: nil)
        #expect(isZoned() == !hasZones)
        #expect(try await node.specs.load().nodes["a"]?.hasZones == !hasZones)
        try await expectNothing(mesh)
        _ = try await mesh.reset()
        #expect(isZoned() == nil)
    }

    /// The rules of the tasks and the spec stay as they are while the kernel does not say whether it has zones.
    @Test(arguments: [true, false])
    func nothingChangesWhileTheKernelDoesNotSay(hasZones: Bool) async throws {
        let node = FakeNode()
        node.kernel.withState { state in
            state.facts.hasZones = hasZones
            state.addTask("/run/netns/t1", inode: 7)
            state.addTask("/run/netns/t2", inode: 8)
        }
        let mesh = node.mesh(named: "a")
        _ = try await mesh.attach("/run/netns/t1", service: "web")
        node.gate.hide("the zones")
        try await expectNothing(mesh)
        _ = try await mesh.addNode("a", address: "192.168.5.1")
        _ = try await mesh.attach("/run/netns/t2", service: "web")
        #expect(try await node.specs.load().nodes["a"]?.hasZones == hasZones)
        try await expectNothing(mesh)
    }

    private func expectNothing(_ mesh: Mesh) async throws {
        let plan = try await mesh.plan()
        #expect(plan.isEmpty && plan.notes.isEmpty, "\(plan.steps.map(\.description)) \(plan.notes)")
    }
}
