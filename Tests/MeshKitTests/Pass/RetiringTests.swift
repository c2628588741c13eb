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

    /// A flow of UDP has no end to wait for. It goes on while its client sends, and is not forgotten before.
    @Test func flowsOfUDPGoOn() async throws {
        let node = try await Self.node(.udp, connections: 2)
        let change = try await node.mesh().change { spec, _ in
            try spec.publish(PortBinding(1080, .udp), target: 81, service: "nginx")
        }
        #expect(try await destinations(node) == ["10.0.0.11:80 0", "10.0.0.11:81 1"])
        #expect(change.plan.steps.allSatisfy { $0.part != .flows }, "\(change.plan.steps)")
        #expect(change.plan.retiring.map(\.connections) == [2])
        #expect("\(change.plan.retiring[0])".contains("a client that goes on sending keeps its flow"))
    }

    /// Whoever does not want to wait cuts the connections, with the command or later.
    @Test(arguments: [TransportProtocol.tcp, .udp]) func connectionsAreCutOnDemand(transport: TransportProtocol)
        async throws
    {
        let node = try await Self.node(transport, connections: 2)
        let port = PortBinding(1080, transport)
        _ = try await node.mesh().publish([(port, 81)], service: "nginx", force: true, cutting: true)
        #expect(try await destinations(node) == ["10.0.0.11:81 1"])
        node.kernel.withState {
            $0.connections[RetiringDestination(.init("10.0.0.11", port: 81), of: Self.service)] = 1
        }
        _ = try await node.mesh().publish([(port, 82)], service: "nginx", force: true)
        #expect(try await destinations(node) == ["10.0.0.11:81 0", "10.0.0.11:82 1"])
        // Those of another port are none of its business.
        _ = try await node.mesh().reconcile(cutting: .ports([PortBinding(1081, transport)]))
        #expect(try await destinations(node) == ["10.0.0.11:81 0", "10.0.0.11:82 1"])
        let change = try await node.mesh().reconcile(cutting: .all)
        #expect(try await destinations(node) == ["10.0.0.11:82 1"])
        #expect(change.plan.retiring == [] && change.ledger[.node].retiring == [])
        #expect(change.plan.steps.contains { $0.part == .flows } == (transport == .udp), "\(change.plan.steps)")
        #expect(try await node.mesh().plan().isEmpty)
    }

    /// New connections have their new way before the old destination stops taking them.
    @Test func theNewTargetComesFirst() async throws {
        let node = try await Self.node(connections: 2)
        let change = try await node.mesh().change { spec, _ in
            try spec.publish(Self.web, target: 81, service: "nginx")
        }
        let steps = change.plan.steps.map(\.description)
        let comes = try #require(steps.firstIndex { $0.contains("add destination 10.0.0.11:81") })
        let goes = try #require(steps.firstIndex { $0.contains("10.0.0.11:80") && $0.contains("weight 0") })
        #expect(comes < goes, "\(steps)")
    }

    /// A former target goes on without its port, or without its task, the last one of its family or not.
    @Test(arguments: Leaving.allCases) func theOldTargetGoesOnWithoutItsPortOrTask(leaving: Leaving) async throws {
        let node = try await Self.node(connections: 2)
        if leaving == .oneOfTwoTasks {
            _ = try await node.mesh().change { spec, _ in
                try spec.addTask(SpecTask(address: "10.0.0.12"), service: "nginx")
            }
        }
        _ = try await node.mesh().change { spec, _ in try spec.publish(Self.web, target: 81, service: "nginx") }
        _ = try await node.mesh().change { spec, _ in try leaving.edit(&spec) }
        #expect(try #require(try node.ledgers.load())[.node].retiring.map(\.destinations) == [[Self.old]])
        #expect(try await node.mesh().plan().isEmpty)
        node.kernel.withState { $0.connections = [:] }
        _ = try await node.mesh().reconcile()
        #expect(try #require(try node.ledgers.load())[.node].retiring == [])
        #expect(try await node.marksInKernel().isEmpty == (leaving != .oneOfTwoTasks))
        #expect(try await node.mesh().plan().isEmpty)
    }

    enum Leaving: CaseIterable {
        case port, task, oneOfTwoTasks, service

        func edit(_ spec: inout MeshSpec) throws {
            switch self {
            case .port: try spec.unpublish(web)
            case .task, .oneOfTwoTasks: try spec.removeTask("10.0.0.11", service: "nginx")
            case .service: try spec.removeService("nginx")
            }
        }
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
        #expect(first.wake == Wake(now, for: .retiring))
        let later = BootTime(nanoseconds: 6_000_000_000)
        let second = Pass.run(spec: spec, ledger: first.settled, observed: observed, tool: .nftables, now: later)
        #expect(second.wake == Wake(BootTime(nanoseconds: 7_000_000_000), for: .retiring))
    }
}
