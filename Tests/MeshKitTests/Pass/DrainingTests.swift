import FakeKernel
import IPVSKit
import Netlink
import RuleKit
import Testing

@testable import MeshKit

/// Tasks that drain and tasks that leave: open connections go on, and new ones go elsewhere.
@Suite struct DrainingTests {
    private static let web = PortBinding(1080, .tcp)
    private static let dns = PortBinding(5353, .udp)
    private static let task: IPAddress = "10.0.0.11"
    private static let other: IPAddress = "10.0.0.12"

    /// Two tasks, and connections to the first.
    private static func node(_ options: PublishOptions = .init(), connections: Int = 2) async throws -> FakeNode {
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

    private static func retiring(_ node: FakeNode) throws -> [RetiringPath] {
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

    // MARK: Attached tasks

    /// A node with an attached task, whose port 1080 has a connection by another node.
    private static func attached() async throws -> (node: FakeNode, address: IPAddress) {
        let node = FakeNode()
        node.kernel.withState { $0.addTask("/run/netns/t1", inode: 7) }
        let attached = try await node.mesh().attach("/run/netns/t1", container: "web1", service: "nginx")
        _ = try await node.mesh().publish([(web, 80)], service: "nginx", force: true)
        let address = try #require(attached.tasks.first?.address)
        node.kernel.withState { $0.servedConnections["/run/netns/t1"] = [.init(address, port: 80): 1] }
        return (node, address)
    }

    /// The sandbox of the task's node knows the connections of its own clients only, and the task has all.
    @Test func connectionsByOtherNodesCount() async throws {
        let (node, address) = try await Self.attached()
        let interfaces = node.kernel.withState { Set($0.namespaces["/run/netns/t1"]!.interfaces.keys) }
        let change = try await node.mesh().detach(.container("web1", node: nil), service: "nginx")
        #expect(change.change.plan.retiring.filter { $0.destination.address == address }.map(\.connections) == [1])
        #expect(node.kernel.withState { Set($0.namespaces["/run/netns/t1"]!.interfaces.keys) } == interfaces)
        #expect(try await node.mesh().plan().isEmpty)
        node.kernel.withState { $0.servedConnections = [:] }
        _ = try await node.mesh().reconcile()
        #expect(node.kernel.withState { $0.namespaces["/run/netns/t1"]!.interfaces.isEmpty })
        #expect(try #require(try node.ledgers.load()).places.values.allSatisfy { $0.retiring == [] })
        #expect(try await node.mesh().plan().isEmpty)
    }

    /// Connections that could not be counted may go on.
    @Test func aPathStaysWhoseConnectionsCannotBeCounted() async throws {
        let (node, address) = try await Self.attached()
        _ = try await node.mesh().detach(.container("web1", node: nil), service: "nginx")
        node.gate.hide("the connections to programs")
        node.kernel.withState { $0.servedConnections = [:] }
        let change = try await node.mesh().reconcile()
        let left = change.plan.retiring.filter { $0.destination.address == address }
        #expect(left.map(\.connections) == [nil])
        #expect(node.kernel.withState { !$0.namespaces["/run/netns/t1"]!.interfaces.isEmpty })
        node.gate.hide(nil)
        _ = try await node.mesh().reconcile()
        #expect(node.kernel.withState { $0.namespaces["/run/netns/t1"]!.interfaces.isEmpty })
    }

    /// What a task has does not say by which port it came: connections by a port that goes on do not keep the one that left.
    @Test func connectionsByAnotherPortDoNotCount() async throws {
        let (node, address) = try await Self.attached()
        _ = try await node.mesh().publish([(PortBinding(2080, .tcp), 80)], service: "nginx", force: true)
        node.kernel.withState {
            $0.connections[RetiringDestination(.init(address, port: 80), of: .firewallMark(0x100, .ipv4))] = 1
        }
        _ = try await node.mesh().change { spec, _ in try spec.unpublish(Self.web) }
        #expect(try await node.mesh().plan().retiring.map(\.connections).contains(1))
        node.kernel.withState { $0.connections = [:] }
        _ = try await node.mesh().reconcile()
        #expect(try #require(try node.ledgers.load()).places.values.allSatisfy { $0.retiring == [] })
    }

    /// The sandbox knows a port at an address of the node by its own address, and an operator does not.
    @Test func aPortAtAnAddressIsNamedAsItIsPublished() async throws {
        let (node, _) = try await Self.attached()
        let port = PortBinding(8443...8443, .tcp, at: "192.168.5.1")
        _ = try await node.mesh().publish([(port, 80)], service: "nginx", force: true)
        _ = try await node.mesh().drain(.container("web1", node: nil), service: "nginx")
        let bindings = try await node.mesh().plan().retiring.map(\.binding)
        #expect(bindings.contains(port) && bindings.allSatisfy { $0.address != SandboxLink.addresses.place[0].address })
    }

    /// A file that is applied with --now cuts what it concerns.
    @Test func applyingCutsItsOwnServices() async throws {
        let node = try await Self.node()
        _ = try await node.mesh().removeTask(Self.task, service: "nginx")
        let file = try MeshFile(yaml: "services: {other: {tasks: [10.0.0.13]}}", name: "mesh.yaml")
        _ = try await node.mesh().apply(file, cutting: true)
        #expect(try !Self.retiring(node).isEmpty)
        _ = try await node.mesh().apply(MeshFile(yaml: "services: {nginx: {}}", name: "mesh.yaml"), cutting: true)
        #expect(try Self.retiring(node).isEmpty)
    }

    /// A path that retires already keeps the interfaces of its task when that leaves, too.
    @Test(arguments: [true, false]) func aTaskMayLeaveAfterItsPath(drains: Bool) async throws {
        let (node, _) = try await Self.attached()
        let interfaces = node.kernel.withState { Set($0.namespaces["/run/netns/t1"]!.interfaces.keys) }
        if drains {
            _ = try await node.mesh().drain(.container("web1", node: nil), service: "nginx")
        } else {
            _ = try await node.mesh().change { spec, _ in try spec.unpublish(Self.web) }
        }
        let change = try await node.mesh().detach(.container("web1", node: nil), service: "nginx")
        let steps = change.change.plan.steps
        #expect(steps.allSatisfy { $0.place != .task("/run/netns/t1") }, "\(steps)")
        #expect(node.kernel.withState { Set($0.namespaces["/run/netns/t1"]!.interfaces.keys) } == interfaces)
        #expect(try await node.mesh().plan().isEmpty)
        node.kernel.withState { $0.servedConnections = [:] }
        _ = try await node.mesh().reconcile()
        #expect(node.kernel.withState { $0.namespaces["/run/netns/t1"]!.interfaces.isEmpty })
        #expect(try await node.mesh().plan().isEmpty)
    }

    /// The flows of the last task do not stay either, although the service has the other balancer then.
    @Test func flowsOfTheLastAttachedTaskEnd() async throws {
        let (node, address) = try await Self.attached()
        _ = try await node.mesh().publish([(Self.dns, 53)], service: "nginx", force: true)
        node.kernel.withState {
            $0.connections[RetiringDestination(.init(address, port: 53), of: .firewallMark(0x101, .ipv4))] = 2
        }
        let change = try await node.mesh().detach(.container("web1", node: nil), service: "nginx")
        let left = change.change.plan.retiring
        #expect(!left.isEmpty && left.allSatisfy { $0.binding == Self.web }, "\(left)")
        #expect(change.change.plan.steps.contains { $0.part == .flows })
        #expect(try await node.mesh().plan().isEmpty)
    }

    /// No connection goes on without the task's namespace.
    @Test func whatDrainsGoesWithItsNamespace() async throws {
        let (node, _) = try await Self.attached()
        _ = try await node.mesh().detach(.container("web1", node: nil), service: "nginx")
        #expect(try await !node.mesh().plan().retiring.isEmpty)
        node.kernel.withState { $0.removeTask("/run/netns/t1") }
        _ = try await node.mesh().reconcile()
        #expect(try #require(try node.ledgers.load()).places.values.allSatisfy { $0.retiring == [] })
        #expect(try await node.mesh().plan().isEmpty)
    }

    /// A container that was started anew is another task, which nobody has told to drain.
    @Test func aNamespaceMadeAnewEndsTheDrain() async throws {
        let (node, address) = try await Self.attached()
        _ = try await node.mesh().drain(.container("web1", node: nil), service: "nginx")
        #expect(try await node.specs.load().services["nginx"]?.tasks.map(\.isDraining) == [true])
        node.kernel.withState {
            $0.removeTask("/run/netns/t1")
            $0.addTask("/run/netns/t2", inode: 8)
        }
        let again = try await node.mesh().attach("/run/netns/t2", container: "web1", service: "nginx")
        #expect(again.tasks.map(\.address) == [address] && again.tasks.map(\.isDraining) == [false])
        #expect(try await node.mesh().plan().isEmpty)
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
