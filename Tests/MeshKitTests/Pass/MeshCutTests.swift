import FakeKernel
import IPVSKit
import RuleKit
import SystemPackage
import Testing

@testable import MeshKit

/// What becomes of an edit of the routing mesh that is cut off after one of its operations, or of which one is refused.
///
/// What the kernel should hold is what an edit leaves that nothing disturbed; ``MeshTests`` of the kernel lane say that
/// packets arrive there. One at a time: together they would keep tests that measure time from their threads.
@Suite(.serialized) struct MeshCutTests {
    /// An edit of a node's mesh, and whether all of its operations are tried or every fourth.
    struct Step: Sendable, CustomTestStringConvertible {
        let name: String
        var tool = RuleTool.nftables
        var isTriedWhole = false
        var isOfStanding = true
        /// The edit of the spec, if the step is nothing else.
        private(set) var edit: (@Sendable (inout MeshSpec) throws -> Void)?
        let act: @Sendable (Mesh) async throws -> Void

        var testDescription: String { "\(name) (\(tool))" }

        init(
            _ name: String, _ tool: RuleTool = .nftables, whole: Bool = false, ofStanding: Bool = true,
            _ act: @escaping @Sendable (Mesh) async throws -> Void
        ) {
            self.name = name
            self.tool = tool
            isTriedWhole = whole
            isOfStanding = ofStanding
            self.act = act
        }

        static func edit(
            _ name: String, _ tool: RuleTool = .nftables, whole: Bool = false, ofStanding: Bool = true,
            _ edit: @escaping @Sendable (inout MeshSpec) throws -> Void
        ) -> Self {
            var step = Self(name, tool, whole: whole, ofStanding: ofStanding) { mesh in
                _ = try await mesh.change { spec, _ in try edit(&spec) }
            }
            step.edit = edit
            return step
        }
    }

    private static let web = PortBinding(1080, .tcp)
    private static let own = Ledger.hostName()

    private static func attach(
        _ path: String, _ inode: UInt64?, on node: String = own, networks: [String]? = nil, to spec: inout MeshSpec
    ) throws {
        try spec.attach(
            TaskAttachmentRequest(namespace: path, inode: inode, node: node, networks: networks), service: "nginx")
    }

    /// Two nodes, a task on each, and their port on both.
    private static let standing: @Sendable (inout MeshSpec) throws -> Void = { spec in
        try spec.addNode(own, address: "192.168.5.1")
        try spec.addNode("node2", address: "192.168.5.2")
        try spec.ensureIngress(node: own)
        try spec.createNetwork("net1", subnets: ["100.64.0.0/24"])
        try attach("/run/netns/web1", 41, to: &spec)
        try attach("/run/netns/far", nil, on: "node2", to: &spec)
        try spec.publish(web, target: 80, service: "nginx")
    }

    static let steps: [Step] =
        RuleTool.allCases.map {
            .edit("the first port of attached tasks", $0, whole: true, ofStanding: false, standing)
        }
        + [
            .edit("a port more", whole: true) {
                try $0.publish(PortBinding(1081, .udp), target: 53, service: "nginx", options: .init(sourceIP: .nat))
            },
            .edit("a task more on this node", whole: true) { try attach("/run/netns/web2", 42, to: &$0) },
            .edit("a task on a user network", .iptables) {
                try attach("/run/netns/web2", 42, networks: ["net1"], to: &$0)
            },
            .edit("a task more on the other node") { try attach("/run/netns/far2", nil, on: "node2", to: &$0) },
            .edit("a node more") { try $0.addNode("node3", address: "192.168.5.3") },
            .edit("a task less") { try $0.detach(.namespace("/run/netns/web1", node: own), service: "nginx") },
            .edit("a port less", .iptables) { try $0.unpublish(web) },
            .edit("a service less") { try $0.removeService("nginx") },
            Step("reset", whole: true) { _ = try await $0.reset() },
        ]

    private struct Scene {
        let node = FakeNode()
        let pristine: [String]

        init(_ step: Step) async throws {
            node.kernel.withState { state in
                state.addTask("/run/netns/web1", inode: 41)
                state.addTask("/run/netns/web2", inode: 42)
            }
            pristine = try await node.kernelText()
            if step.isOfStanding {
                _ = try await node.mesh(tool: step.tool).change { spec, _ in try standing(&spec) }
            }
            node.gate.begin()
        }

        /// What the kernel holds for a spec, if nothing has gone wrong. Values of settings stay where they are until a
        /// reset.
        func text() async throws -> [String] { try await node.kernelText().filter { !$0.contains(" sysctl ") } }
    }

    /// The operations of a step, and what the kernel holds before and after it, by the spec.
    private static func undisturbed(
        _ step: Step
    ) async throws -> (operations: [String], before: [String], after: [String]) {
        let scene = try await Scene(step)
        let before = try await scene.text()
        try await step.act(scene.node.mesh(tool: step.tool))
        let operations = scene.node.gate.operations
        scene.node.gate.begin()
        return (operations, before, try await scene.text())
    }

    private static func numbers(_ step: Step, _ operations: [String]) -> [Int] {
        Array(stride(from: 1, through: operations.count, by: step.isTriedWhole ? 1 : 4))
    }

    /// The next pass finishes what was begun, and a reset afterwards leaves the kernel as it was before all.
    private static func expectConverged(
        _ scene: Scene, _ step: Step, _ at: String, _ before: [String], _ after: [String]
    ) async throws {
        let mesh = scene.node.mesh(tool: step.tool)
        _ = try await mesh.reconcile(retry: true)
        #expect(try await mesh.plan().isEmpty, "\(at)")
        let text = try await scene.text()
        #expect(text == after || text == before, "\(at): \(text.difference(from: after).count) lines differ")
        _ = try await mesh.reset()
        let left = try await scene.node.kernelText()
        #expect(left == scene.pristine, "\(at): \(Set(left).symmetricDifference(scene.pristine).sorted())")
    }

    @Test(arguments: steps) func theNextPassConverges(step: Step) async throws {
        let (operations, before, after) = try await Self.undisturbed(step)
        try #require(operations.count >= 2 && before != after)
        for cut in Self.numbers(step, operations) {
            let scene = try await Scene(step)
            scene.node.gate.begin(cutAfter: cut)
            try? await step.act(scene.node.mesh(tool: step.tool))
            scene.node.gate.begin()
            try await Self.expectConverged(
                scene, step, "cut after \(cut) of \(operations.count): \(operations[cut - 1])", before, after)
        }
    }

    @Test(arguments: steps) func aRefusedOperationIsMadeUpFor(step: Step) async throws {
        let (operations, before, after) = try await Self.undisturbed(step)
        for number in Self.numbers(step, operations) {
            let scene = try await Scene(step)
            scene.node.gate.begin(failing: (number, .notPermitted))
            try? await step.act(scene.node.mesh(tool: step.tool))
            scene.node.gate.begin()
            try await Self.expectConverged(
                scene, step, "refused \(number) of \(operations.count): \(operations[number - 1])", before, after)
        }
    }

    /// With a folder other than the default, the mesh's namespaces have names of their own: a preview looks at these, and
    /// shows what the change then does first. Paths that retire without a connection are removed by the same change, which
    /// nobody knows before.
    @Test(arguments: steps.filter { $0.isOfStanding && $0.edit != nil }) func whatAPreviewShowsIsDone(step: Step)
        async throws
    {
        let edit = try #require(step.edit)
        let scene = try await Scene(step)
        let mesh = Mesh(
            store: FakeSpecStore(gate: scene.node.gate),
            ledger: FakeLedgerStore(gate: scene.node.gate, folder: "/srv/mesh"), kernel: scene.node.kernel,
            tool: step.tool)
        _ = try await scene.node.mesh(tool: step.tool).reset()
        _ = try await mesh.change { spec, _ in try Self.standing(&spec) }
        let preview = try await mesh.preview { spec, _ in try edit(&spec) }
        let change = try await mesh.change { spec, _ in try edit(&spec) }
        #expect(!preview.plan.isEmpty && change.plan.steps.starts(with: preview.plan.steps))
    }
}
