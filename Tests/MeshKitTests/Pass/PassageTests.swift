import FakeKernel
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// The rules by which iptables lets packets of the mesh pass, where nftables carries the rules.
@Suite struct PassageTests {
    private static let task = "/run/netns/t1"

    /// A node with a published task, whose rules nftables carries.
    private static func node(_ filtersForwards: Bool) async throws -> (node: FakeNode, mesh: Mesh) {
        let node = FakeNode()
        node.kernel.withState { state in
            state.facts.filtersForwards = .known(filtersForwards)
            state.addTask(task, inode: 7)
        }
        let mesh = node.mesh(tool: .nftables, named: "a")
        _ = try await mesh.addNode("a", address: "192.168.5.1")
        _ = try await mesh.attach(task, service: "web")
        _ = try await mesh.publish([(PortBinding(1080, .tcp), 80)], service: "web")
        return (node, mesh)
    }

    private static func isLetPass(_ node: FakeNode) -> Bool {
        node.kernel.withState { $0.namespaces["node"]!.rules[.iptables] != nil }
    }

    private static func notes(_ change: MeshChange) -> [String] {
        change.plan.notes.filter { $0.hasPrefix("whether iptables filters") }
    }

    /// Without these rules, ports of the ingress network die behind a firewall that drops what it does not know.
    @Test func theyStayWhileNobodyCanSayWhetherTheyAreNeeded() async throws {
        let (node, mesh) = try await Self.node(true)
        try #require(Self.isLetPass(node))
        node.gate.hide("whether iptables filters")
        let change = try await mesh.reconcile()
        #expect(Self.isLetPass(node) && change.plan.isEmpty && change.ledger[.node].hasPassage)
        #expect(Self.notes(change).first?.hasSuffix(" pass stay") == true, "\(change.plan.notes)")
        // What has gone meanwhile is put up again.
        node.kernel.withState { $0.namespaces["node"]!.rules[.iptables] = nil }
        _ = try await mesh.reconcile()
        #expect(Self.isLetPass(node))
        node.gate.hide(nil)
        node.kernel.withState { $0.facts.filtersForwards = .known(false) }
        let last = try await mesh.reconcile()
        #expect(!Self.isLetPass(node) && !last.ledger[.node].hasPassage && Self.notes(last).isEmpty)
    }

    @Test func noneComeWhileNobodyCanSayWhetherTheyAreNeeded() async throws {
        let (node, mesh) = try await Self.node(false)
        node.gate.hide("whether iptables filters")
        let change = try await mesh.reconcile()
        #expect(!Self.isLetPass(node) && change.plan.isEmpty && !change.ledger[.node].hasPassage)
        #expect(Self.notes(change).first?.hasSuffix(" pass are not added") == true, "\(change.plan.notes)")
    }
}
