import FakeKernel
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// A live port moves from the balancer on the host to the one in the sandbox, or back: its open connections go on.
@Suite struct MovingTests {
    private static let web = PortBinding(1080, .tcp)
    private static let dns = PortBinding(5353, .udp)
    private static let netns = "/run/netns/t1"
    private static let reached: IPAddress = "10.0.0.11"

    private struct Case: CustomTestStringConvertible {
        var tool: RuleTool
        var target: Balancing

        var source: Balancing { target == .host ? .ingress : .host }
        var testDescription: String { "to \(target), by \(tool)" }

        static let all = RuleTool.allCases.flatMap { tool in Balancing.allCases.map { Case(tool: tool, target: $0) } }
    }

    /// Gives the service its task by one of the balancers, in place of the task by the other.
    private static func move(_ mesh: Mesh, to balancing: Balancing, cutting cut: ConnectionCut = .none) async throws
        -> MeshChange
    {
        try await mesh.change(cutting: cut) { spec, view in
            for name in ["nginx", "dns"] where spec.services[name] != nil { spec.services[name]?.tasks = [] }
            for name in ["nginx", "dns"] {
                switch balancing {
                case .host: try spec.addTask(SpecTask(address: reached), service: name)
                case .ingress:
                    try spec.ensureIngress(node: view.ledger.node, avoiding: HostNetworks())
                    let path = name == "nginx" ? netns : netns + "-dns"
                    try spec.attach(
                        TaskAttachmentRequest(
                            namespace: path, inode: name == "nginx" ? 7 : 8, node: view.ledger.node), service: name)
                }
            }
        }
    }

    /// A node with a port of each kind, and two connections to each of its destinations.
    private static func node(_ test: Case) async throws -> FakeNode {
        let node = FakeNode()
        node.kernel.withState {
            $0.addTask(netns, inode: 7)
            $0.addTask(netns + "-dns", inode: 8)
        }
        let mesh = node.mesh(tool: test.tool)
        _ = try await move(mesh, to: test.source)
        _ = try await mesh.change { spec, view in
            try spec.publish(web, target: 80, service: "nginx", avoiding: view.takenMarks)
            try spec.publish(dns, target: 53, service: "dns", avoiding: view.takenMarks)
        }
        try await connect(node, test.source)
        return node
    }

    /// Lets each destination of a balancer have two connections.
    private static func connect(_ node: FakeNode, _ balancing: Balancing) async throws {
        let table = try await table(node, balancing)
        node.kernel.withState { state in
            state.connections = [:]
            for (id, entry) in table.entries {
                for destination in entry.destinations.keys {
                    state.connections[RetiringDestination(destination, of: id)] = 2
                }
            }
        }
    }

    private static func table(_ node: FakeNode, _ balancing: Balancing) async throws -> Table {
        try await node.mesh().observe().view.observed[balancing.place].table
    }

    private static func weights(_ node: FakeNode, _ balancing: Balancing) async throws -> Set<UInt32> {
        Set(try await table(node, balancing).entries.values.flatMap { $0.destinations.values.map(\.weight) })
    }

    private static func interfaces(_ node: FakeNode) -> Set<String> {
        node.kernel.withState { Set($0.namespaces[netns]!.interfaces.keys) }
    }

    @Test(arguments: Case.all) private func connectionsGoOnByTheFormerPath(test: Case) async throws {
        let node = try await Self.node(test)
        let old = try await Self.table(node, test.source)
        let interfaces = Self.interfaces(node)
        let change = try await Self.move(node.mesh(), to: test.target)
        // Nobody forgets the flows.
        #expect(change.plan.steps.allSatisfy { $0.part != .flows }, "\(change.plan.steps.map(\.description))")
        #expect(try await Self.weights(node, test.source) == [0])
        #expect(try await Self.weights(node, test.target) == [1])
        let now = try await Self.table(node, test.source)
        #expect(now.entries.mapValues { $0.destinations.keys } == old.entries.mapValues { $0.destinations.keys })
        #expect(Self.interfaces(node).isSuperset(of: interfaces), "a task that is left keeps its interfaces")
        // In each of two passes of other processes: nothing is to be done, and it says what it waits for.
        for _ in 1...2 {
            let plan = try await node.mesh().plan()
            #expect(plan.isEmpty, "\(plan.steps.map(\.description))")
            #expect(plan.retiring.count == old.entries.values.reduce(0) { $0 + $1.destinations.count })
            #expect(plan.retiring.allSatisfy { $0.connections == 2 && $0.place == test.source.place })
            #expect(try await !node.mesh().reconcile().didChange)
        }
        node.kernel.withState { $0.connections = [:] }
        #expect(try await !node.mesh().plan().isEmpty)
        _ = try await node.mesh().reconcile()
        try await Self.expectMoved(node, test)
    }

    /// Nothing is left of the former path.
    private static func expectMoved(
        _ node: FakeNode, _ test: Case, _ at: String = "", sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let plan = try await node.mesh().plan()
        #expect(
            plan.isEmpty && plan.retiring == [], "\(at): \(plan.steps.map(\.description))",
            sourceLocation: sourceLocation)
        #expect(try await table(node, test.source).entries.isEmpty, "\(at)", sourceLocation: sourceLocation)
        #expect(try await weights(node, test.target) == [1], "\(at)", sourceLocation: sourceLocation)
        let namespaces = node.kernel.withState { state in
            state.namespaces.keys.filter { $0.contains("lo-") || $0.contains("sbox") }
        }
        #expect(namespaces.count == 1, "\(at): \(namespaces)", sourceLocation: sourceLocation)
        let ledger = try #require(try node.ledgers.load())
        #expect(ledger.places.values.allSatisfy { $0.retiring == [] }, "\(at)", sourceLocation: sourceLocation)
        #expect(ledger[test.source.place].marks == [:], "\(at)", sourceLocation: sourceLocation)
        if test.target == .host { #expect(interfaces(node) == [], "\(at)", sourceLocation: sourceLocation) }
    }

    /// First the new path stands, then the rules lead there, and then the old path takes no more.
    @Test(arguments: Case.all) private func theOrderLosesNobody(test: Case) async throws {
        let node = try await Self.node(test)
        let steps = try await Self.move(node.mesh(), to: test.target).plan.steps
        let (old, new) = (test.source.place, test.target.place)
        func isWeightless(_ step: Plan.Step) -> Bool {
            guard case .ipvs(.updateDestination(let destination, _)) = step.change else { return false }
            return destination.weight == 0
        }
        func isNew(_ step: Plan.Step) -> Bool {
            if case .ipvs(.createDestination) = step.change { true } else { false }
        }
        func isRule(_ step: Plan.Step) -> Bool {
            guard case .rules = step.change else { return false }
            return step.place == .node && step.phase != .withdrawingRulesBehind
        }
        let stands = try #require(steps.lastIndex { $0.place == new && isNew($0) })
        let leads = try #require(steps.indices.filter { isRule(steps[$0]) && $0 > stands }.first)
        let stops = try #require(steps.firstIndex { $0.place == old && isWeightless($0) })
        let lines = steps.map(\.description).joined(separator: "\n")
        #expect(stands < leads && leads < stops, "\(lines)")
        #expect(steps.indices.filter { isRule(steps[$0]) }.allSatisfy { $0 < stops }, "\(lines)")
    }

    /// Its connections have never been without their path.
    @Test(arguments: Case.all) private func movingBackCancelsIt(test: Case) async throws {
        let node = try await Self.node(test)
        _ = try await Self.move(node.mesh(), to: test.target)
        _ = try await Self.move(node.mesh(), to: test.source)
        #expect(try await Self.weights(node, test.source) == [1])
        let plan = try await node.mesh().plan()
        #expect(plan.isEmpty && plan.retiring == [], "\(plan.steps.map(\.description))")
    }

    @Test(arguments: Case.all) private func connectionsAreCutOnDemand(test: Case) async throws {
        let node = try await Self.node(test)
        let change = try await Self.move(node.mesh(), to: test.target, cutting: .all)
        #expect(change.plan.steps.contains { $0.part == .flows })
        try await Self.expectMoved(node, test, "with the move")
        let later = try await Self.node(test)
        _ = try await Self.move(later.mesh(), to: test.target)
        #expect(try await Self.weights(later, test.source) == [0])
        let second = try await later.mesh().reconcile(cutting: .all)
        #expect(second.plan.steps.contains { $0.part == .flows })
        try await Self.expectMoved(later, test, "later")
    }

    /// Wherever the process dies, the destinations of open connections stay, and the next pass finishes the move.
    @Test(arguments: Case.all) private func aMoveThatIsCutOffIsFinished(test: Case) async throws {
        let first = try await Self.node(test)
        first.gate.begin()
        _ = try await Self.move(first.mesh(), to: test.target)
        let operations = first.gate.operations
        try #require(operations.count > 10)
        for cut in 0...operations.count {
            let node = try await Self.node(test)
            let old = try await Self.table(node, test.source)
            node.gate.begin(cutAfter: cut)
            _ = try? await Self.move(node.mesh(), to: test.target)
            node.gate.begin()
            let at = "cut after \(cut) of \(operations.count): \(cut > 0 ? operations[cut - 1] : "-")"
            func expectOld(_ when: String) async throws {
                let now = try await Self.table(node, test.source)
                for (id, entry) in old.entries {
                    #expect(
                        now.entries[id].map { Set($0.destinations.keys) } == Set(entry.destinations.keys),
                        "\(at), \(when)")
                }
            }
            try await expectOld("before the next pass")
            _ = try await node.mesh().reconcile()
            try await expectOld("after it")
            let plan = try await node.mesh().plan()
            #expect(plan.isEmpty, "\(at): \(plan.steps.map(\.description))")
            let hasMoved = try await node.specs.load().services["nginx"]?.balancing == test.target
            #expect(hasMoved == !plan.retiring.isEmpty, "\(at)")
            // The end is the same wherever the move was cut off.
            guard hasMoved, cut % 8 == 0 || cut == operations.count else { continue }
            node.kernel.withState { $0.connections = [:] }
            _ = try await node.mesh().reconcile()
            try await Self.expectMoved(node, test, at)
        }
    }

    /// A task that is left keeps its addresses, until somebody gives one of them to another task by hand.
    @Test func theAddressesOfWhatIsLeftAreNotFree() async throws {
        let test = Case(tool: .nftables, target: .host)
        let node = try await Self.node(test)
        let old = Set(
            try await Self.table(node, .ingress).entries.values.flatMap { $0.destinations.keys.map(\.address) })
        node.kernel.withState {
            $0.addTask("/run/netns/t3", inode: 9)
            $0.addTask("/run/netns/t4", inode: 10)
        }
        _ = try await Self.move(node.mesh(), to: .host)
        let other = try await node.mesh().attach("/run/netns/t3", service: "other")
        let addresses = try #require(other.tasks.first?.attachment?.addresses[MeshNetwork.ingress])
        #expect(old.isDisjoint(with: addresses))
        #expect(try await node.mesh().plan().retiring.count == old.count)
        let taken = try #require(old.filter { $0.family == .ipv4 }.min())
        _ = try await node.mesh().attach("/run/netns/t4", service: "other", address: taken)
        let left = try await node.mesh().plan()
        #expect(left.isEmpty, "\(left.steps.map(\.description))")
    }

    @Test(arguments: Case.all) private func resetTakesAllOfIt(test: Case) async throws {
        let node = try await Self.node(test)
        _ = try await Self.move(node.mesh(), to: test.target)
        _ = try await node.mesh().reset()
        #expect(try await node.marksInKernel().isEmpty)
        #expect(try #require(try node.ledgers.load()).places.isEmpty)
        #expect(Self.interfaces(node) == [])
    }
}
