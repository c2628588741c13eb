import FakeKernel
import IPVSKit
import Netlink
import RuleKit
import Testing

@testable import MeshKit

/// Tasks that drain and tasks that leave: open connections go on, and new ones go elsewhere.
@Suite struct DrainingTests {
    static let web = PortBinding(1080, .tcp)
    static let dns = PortBinding(5353, .udp)
    static let task: IPAddress = "10.0.0.11"
    private static let other: IPAddress = "10.0.0.12"

    /// Two tasks, and connections to the first.
    static func node(_ options: PublishOptions = .init(), connections: Int = 2) async throws -> FakeNode {
        let node = FakeNode()
        _ = try await node.mesh().change { spec, view in
            for address in [task, other] { try spec.addTask(SpecTask(address: address), service: "nginx") }
            try spec.publish(web, target: 80, service: "nginx", options: options, avoiding: view.takenMarks)
            try spec.publish(dns, target: 53, service: "nginx", avoiding: view.takenMarks)
        }
        connect(node, connections)
        return node
    }

    private static func connect(_ node: FakeNode, _ count: Int) {
        node.kernel.withState {
            $0.connections = [RetiringDestination(.init(task, port: 80), of: .firewallMark(0x100, .ipv4)): count]
        }
    }

    /// The destinations of a mark, each with its weight.
    private static func table(_ node: FakeNode, _ mark: FirewallMark = 0x100) async throws -> [String] {
        let table = try await node.mesh().observe().view.observed[.node].table
        return table.entries[.firewallMark(mark, .ipv4)]?.destinations.values.map { "\($0.id) \($0.weight)" }.sorted()
            ?? []
    }

    static func retiring(_ node: FakeNode) throws -> [RetiringPath] {
        try #require(try node.ledgers.load())[.node].retiring
    }

    @Test func aTaskThatLeavesKeepsItsConnections() async throws {
        let node = try await Self.node()
        let change = try await node.mesh().removeTask(Self.task, service: "nginx")
        #expect(change.tasks.map(\.address) == [Self.task])
        #expect(try await Self.table(node) == ["10.0.0.11:80 0", "10.0.0.12:80 1"])
        #expect(try await Self.table(node, 0x101) == ["10.0.0.12:53 1"], "flows of UDP would stay")
        #expect(change.change.plan.steps.contains { $0.part == .flows })
        #expect(change.change.plan.retiring.map(\.connections) == [2])
        #expect(try await node.mesh().plan().isEmpty)
        Self.connect(node, 0)
        _ = try await node.mesh().reconcile()
        #expect(try await Self.table(node) == ["10.0.0.12:80 1"] && Self.retiring(node) == [])
    }

    @Test func addingTheAddressAgainCancelsIt() async throws {
        let node = try await Self.node()
        _ = try await node.mesh().removeTask(Self.task, service: "nginx")
        _ = try await node.mesh().addTask(Self.task, service: "nginx")
        #expect(try await Self.table(node) == ["10.0.0.11:80 1", "10.0.0.12:80 1"] && Self.retiring(node) == [])
        #expect(try await node.mesh().plan().isEmpty)
    }

    @Test func aCutEndsThem() async throws {
        let node = try await Self.node()
        _ = try await node.mesh().removeTask(Self.task, service: "nginx", cutting: true)
        #expect(try await Self.table(node) == ["10.0.0.12:80 1"] && Self.retiring(node) == [])
    }

    @Test(arguments: [0, 1, 5] as [UInt32]) func theTimeOfThePortEndsThem(seconds: UInt32) async throws {
        let node = try await Self.node(.init(drain: .seconds(seconds)))
        let change = try await node.mesh().removeTask(Self.task, service: "nginx")
        guard seconds > 0 else {
            #expect(try await Self.table(node) == ["10.0.0.12:80 1"])
            return
        }
        #expect("\(change.change.plan.retiring)".contains("2 connections left, no new ones for 0 s, cut in "))
        node.kernel.withState { $0.time += UInt64(seconds) * 1_000_000_000 }
        _ = try await node.mesh().reconcile()
        #expect(try await Self.table(node) == ["10.0.0.12:80 1"] && Self.retiring(node) == [])
    }

    /// It takes its mark with it until nothing is left, so that no other port gets it.
    @Test func aPortThatLeavesKeepsItsMark() async throws {
        let node = try await Self.node()
        _ = try await node.mesh().change { spec, _ in try spec.unpublish(Self.web) }
        _ = try await node.mesh().publish([(PortBinding(1443, .tcp), 443)], service: "nginx", force: true)
        #expect(try await node.specs.load().publisher(of: PortBinding(1443, .tcp))?.port.mark == 0x102)
        #expect(try await Self.table(node) == ["10.0.0.11:80 0"])
        Self.connect(node, 0)
        _ = try await node.mesh().reconcile()
        #expect(try await node.marksInKernel() == [0x101, 0x102])
        #expect(try await node.mesh().plan().isEmpty)
    }

    @Test func aTaskThatDrainsStaysInTheSpec() async throws {
        let node = try await Self.node()
        let change = try await node.mesh().drain(.address(Self.task), service: "nginx")
        #expect(change.tasks == [SpecTask(address: Self.task, isDraining: true)])
        #expect(try await Self.table(node) == ["10.0.0.11:80 0", "10.0.0.12:80 1"])
        #expect(try await Self.table(node, 0x101) == ["10.0.0.12:53 1"])
        for count in [2, 0] {
            Self.connect(node, count)
            let plan = try await node.mesh().plan()
            #expect(plan.isEmpty && plan.retiring.map(\.connections) == [count])
            #expect(plan.retiring.allSatisfy(\.isDraining) && plan.notes == [], "\(plan.notes)")
            #expect(try await !node.mesh().reconcile().didChange)
        }
        // Another edit of the task, and the same one, do not end it.
        _ = try await node.mesh().addTask(Self.task, weight: 3, service: "nginx")
        _ = try await node.mesh().drain(.address(Self.task), service: "nginx")
        #expect(try await Self.table(node) == ["10.0.0.11:80 0", "10.0.0.12:80 1"])
        _ = try await node.mesh().undrain(.address(Self.task), service: "nginx")
        #expect(try await Self.table(node) == ["10.0.0.11:80 3", "10.0.0.12:80 1"] && Self.retiring(node) == [])
        #expect(try await Self.table(node, 0x101) == ["10.0.0.11:53 3", "10.0.0.12:53 1"])
    }

    /// Nobody lets a task drain that is not healthy, and `undrain` would not help it.
    @Test func aTaskThatIsNotHealthyIsCalledSo() async throws {
        let node = try await Self.node(PublishOptions(healthCheck: .some(HealthCheck(.tcp))))
        let change = try await node.mesh().follow(
            retry: false, unhealthy: ["nginx": [Self.task]], checking: { _, _ in }
        ).change
        for plan in [change.plan, try await node.mesh().plan()] {
            #expect(plan.retiring.map(\.isUnhealthy) == [true] && plan.retiring.allSatisfy(\.isDraining))
            #expect("\(plan.retiring)".contains("unhealthy 1080/tcp -> 10.0.0.11:80: 2 connections left, no new ones"))
        }
        _ = try await node.mesh().drain(.address(Self.task), service: "nginx")
        let drained = try await node.mesh().plan().retiring
        #expect(drained.map(\.isUnhealthy) == [false] && drained.allSatisfy(\.isDraining))
        #expect("\(drained)".contains("draining 1080/tcp -> 10.0.0.11:80: "))
        _ = try await node.mesh().undrain(.address(Self.task), service: "nginx")
        #expect(try await node.mesh().plan().retiring.map(\.isUnhealthy) == [true])
        #expect(try await Self.table(node) == ["10.0.0.11:80 0", "10.0.0.12:80 1"])
    }

    /// A path that no pass has looked at since it retires may have any number of connections, and none.
    @Test func connectionsThatNobodyHasCounted() {
        let path = RetiringConnections(
            place: .node, binding: Self.web, destination: .init(Self.task, port: 80), seconds: 0, isDraining: true)
        #expect("\(path)" == "draining 1080/tcp -> 10.0.0.11:80: connections not counted yet, no new ones for 0 s")
    }

    @Test func itSaysWhenAllOfThemDrain() async throws {
        let node = try await Self.node()
        _ = try await node.mesh().drain(.address(Self.task), service: "nginx")
        let all = try await node.mesh().drain(.address(Self.other), service: "nginx")
        #expect(
            all.change.plan.notes.contains { $0.hasPrefix("no task of service nginx takes new connections, which are") }
        )
        _ = try await node.mesh().addTask("fd00::11", service: "nginx")
        #expect(
            try await node.mesh().plan().notes.contains {
                $0.contains("takes new connections by IPv4, which are refused")
            })
        #expect(try await node.mesh().plan().isEmpty)
    }

    @Test func whatCannotDrain() async throws {
        let node = try await Self.node()
        for (which, words) in [
            (TaskSelection.address("10.0.0.99"), "service nginx has no task 10.0.0.99"),
            (.container("web1", node: nil), "no task of container web1 on node"), (.node("b"), "no task on node b"),
        ] {
            let error = await #expect(throws: InputError.self) {
                try await node.mesh().drain(which, service: "nginx")
            }
            #expect(error?.description.contains(words) == true, "\(String(describing: error))")
        }
        await #expect(throws: InputError.self) { try await node.mesh().undrain(.address(Self.task), service: "other") }
    }

    /// A drain that was begun is waited for by passes, which finish it.
    @Test func waitingRunsPasses() async throws {
        let node = try await Self.node()
        let change = try await node.mesh().removeTask(Self.task, service: "nginx")
        let looks = Locked<[[Int?]]>([])
        let outcome = try await node.mesh().awaitDrain(of: change.tasks, after: change.change, every: .milliseconds(1))
        {
            left in
            looks.withLock { $0.append(left.map(\.connections)) }
            Self.connect(node, looks.withLock(\.count) < 3 ? 1 : 0)
        }
        #expect(outcome == .done && looks.withLock(\.self) == [[2], [1], [1], []])
        #expect(try await Self.table(node) == ["10.0.0.12:80 1"] && Self.retiring(node) == [])
    }

    @Test func theTimeThatEndsAWait() async throws {
        for isDraining in [true, false] {
            let node = try await Self.node(.init(drain: .seconds(5)))
            let change =
                try await
                (isDraining
                ? node.mesh().drain(.address(Self.task), service: "nginx")
                : node.mesh().removeTask(Self.task, service: "nginx"))
            let outcome = try await node.mesh().awaitDrain(
                of: change.tasks, after: change.change, every: .milliseconds(1)
            ) { _ in node.kernel.withState { $0.time += 2_000_000_000 } }
            switch outcome {
            case .left(let left): #expect(isDraining && left.map(\.connections) == [2])
            case .cut(let cut): #expect(!isDraining && cut.map(\.connections) == [2])
            case .done: Issue.record("connections are left")
            }
            #expect(try await Self.table(node).contains("10.0.0.11:80 0") == isDraining)
        }
    }

    // MARK: What is kept for the connections

    /// A range's destinations have port 0, and its path says which ports answer.
    @Test(arguments: [true, false]) func theTargetsOfARangeStayProtected(leavesWithPort: Bool) async throws {
        let node = FakeNode()
        _ = try await node.mesh().change { spec, view in
            try spec.addTask(SpecTask(address: Self.task), service: "nginx")
            try spec.publish(PortBinding(2000...2009, .tcp), target: 3000, service: "nginx")
        }
        node.kernel.withState {
            $0.connections = [RetiringDestination(.init(Self.task, port: 0), of: .firewallMark(0x100, .ipv4)): 1]
        }
        let before = Self.answering(node)
        #expect(!before.isEmpty)
        _ = try await node.mesh().change { spec, _ in
            if leavesWithPort {
                try spec.unpublish(PortBinding(2000...2009, .tcp))
            } else {
                try spec.removeTask(Self.task, service: "nginx")
            }
        }
        #expect(Self.answering(node) == before)
        #expect(try Self.retiring(node).map(\.targets) == [3000...3009])
    }

    private static func answering(_ node: FakeNode) -> [String] {
        node.kernel.withState { state in
            state.namespaces["node"]!.rules.values.flatMap(\.elements).map(\.description)
                .filter { $0.hasPrefix("answer") }.sorted()
        }
    }

    @Test func theMostConnectionsOfATask() async throws {
        let node = try await Self.node(.init(maxConnections: 9))
        let table = try await node.mesh().observe().view.observed[.node].table
        let thresholds = table.entries[.firewallMark(0x100, .ipv4)]!.destinations.values.map(\.upperThreshold)
        #expect(thresholds == [9, 9])
        _ = try await node.mesh().change { spec, _ in
            try spec.setOptions(.init(maxConnections: 0), ofService: "nginx", ports: [Self.web])
        }
        #expect(try await node.specs.load().publisher(of: Self.web)?.port.maxConnections == nil)
        #expect(try await node.mesh().plan().isEmpty)
        let spec = try await node.specs.load()
        expectRefusal(spec, "at most 2147483647 connections") {
            try $0.setOptions(.init(maxConnections: 1 << 31), ofService: "nginx")
        }
    }
}
