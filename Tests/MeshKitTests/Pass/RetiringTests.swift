import FakeKernel
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// A live port gets another target: its open connections go on, and new ones go there.
@Suite struct RetiringTests {
    private static let web = PortBinding(1080, .tcp)
    private static let old = Destination.ID("10.0.0.11", port: 80)
    private static let service = VirtualService.ID.firewallMark(0x100, .ipv4)

    private static func node(_ transport: TransportProtocol = .tcp, connections: Int) async throws -> FakeNode {
        let node = FakeNode()
        _ = try await node.mesh().change { spec, view in
            try spec.addTask(SpecTask(address: "10.0.0.11"), service: "nginx")
            try spec.publish(PortBinding(1080, transport), target: 80, service: "nginx", avoiding: view.takenMarks)
        }
        node.kernel.withState { $0.connections[RetiringDestination(old, of: service)] = connections }
        return node
    }

    private func destinations(_ node: FakeNode) async throws -> [String] {
        try await node.mesh().observe().view.observed[.node].table.entries[Self.service]!.destinations.values
            .map { "\($0.id) \($0.weight)" }.sorted()
    }

    @Test func theOldTargetStaysUntilItHasNoConnections() async throws {
        let node = try await Self.node(connections: 2)
        let change = try await node.mesh().change { spec, _ in try spec.publish(Self.web, target: 81, service: "nginx")
        }
        #expect(try await destinations(node) == ["10.0.0.11:80 0", "10.0.0.11:81 1"])
        #expect(change.ledger[.node].retiring.map(\.destinations) == [[Self.old]])
        // As long as they are open, nothing is to be done.
        let plan = try await node.mesh().plan()
        #expect(plan.isEmpty)
        node.kernel.withState { $0.connections = [:] }
        let after = try await node.mesh().plan()
        #expect(after.steps.map(\.description).contains { $0.hasPrefix("IPVS    remove destination 10.0.0.11:80") })
        _ = try await node.mesh().reconcile()
        #expect(try await destinations(node) == ["10.0.0.11:81 1"])
        #expect(try #require(try node.ledgers.load())[.node].retiring == [])
    }

    /// One command is enough where nobody is connected.
    @Test func anIdleTargetGoesAtOnce() async throws {
        let node = try await Self.node(connections: 0)
        _ = try await node.mesh().change { spec, _ in try spec.publish(Self.web, target: 81, service: "nginx") }
        #expect(try await destinations(node) == ["10.0.0.11:81 1"])
        #expect(try await node.mesh().plan().isEmpty)
    }

    /// The target that comes back is the one that it was: its connections have never been without.
    @Test func theOldTargetMayComeBack() async throws {
        let node = try await Self.node(connections: 2)
        _ = try await node.mesh().change { spec, _ in try spec.publish(Self.web, target: 81, service: "nginx") }
        _ = try await node.mesh().change { spec, _ in try spec.publish(Self.web, target: 80, service: "nginx") }
        #expect(try await destinations(node) == ["10.0.0.11:80 1"])
        #expect(try #require(try node.ledgers.load())[.node].retiring == [])
    }

    /// Weight 0 would keep a UDP flow for as long as its client sends.
    @Test func flowsOfUDPGoAtOnce() async throws {
        let node = try await Self.node(.udp, connections: 2)
        _ = try await node.mesh().change { spec, _ in
            try spec.publish(PortBinding(1080, .udp), target: 81, service: "nginx")
        }
        #expect(try await destinations(node) == ["10.0.0.11:81 1"])
    }

    /// What retires goes with its port, and with its task.
    @Test func whatLeavesTheSpecIsTakenDownAtOnce() async throws {
        let node = try await Self.node(connections: 2)
        _ = try await node.mesh().change { spec, _ in try spec.publish(Self.web, target: 81, service: "nginx") }
        _ = try await node.mesh().change { spec, _ in try spec.unpublish(Self.web) }
        #expect(try await node.marksInKernel().isEmpty)
        #expect(try #require(try node.ledgers.load())[.node].retiring == [])
    }

    /// So does the path of a task that is removed, the last one of its family or not.
    @Test(arguments: [true, false]) func whatRetiresGoesWithItsTask(isLast: Bool) async throws {
        let node = try await Self.node(connections: 2)
        if !isLast {
            _ = try await node.mesh().change { spec, _ in
                try spec.addTask(SpecTask(address: "10.0.0.12"), service: "nginx")
            }
        }
        _ = try await node.mesh().change { spec, _ in try spec.publish(Self.web, target: 81, service: "nginx") }
        _ = try await node.mesh().change { spec, _ in try spec.removeTask("10.0.0.11", service: "nginx") }
        #expect(
            try #require(try node.ledgers.load())[.node].retiring.allSatisfy { path in
                path.destinations.allSatisfy { $0.address != "10.0.0.11" }
            })
        #expect(try await node.mesh().plan().isEmpty)
    }

    /// An agent looks again a second later, and at once where nobody has looked at the connections yet.
    @Test func itSaysWhenToLookAgain() async throws {
        let node = try await Self.node(connections: 2)
        var spec = try await node.specs.load()
        let ledger = try #require(try node.ledgers.load())
        try spec.publish(Self.web, target: 81, service: "nginx")
        let observed = try await node.mesh().observe().view.observed
        let now = BootTime(nanoseconds: 5_000_000_000)
        let first = Pass.run(spec: spec, ledger: ledger, observed: observed, tool: .nftables, now: now)
        #expect(first.wake == now)
        let later = BootTime(nanoseconds: 6_000_000_000)
        let second = Pass.run(spec: spec, ledger: first.settled, observed: observed, tool: .nftables, now: later)
        #expect(second.wake == BootTime(nanoseconds: 7_000_000_000))
    }
}
