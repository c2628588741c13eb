import FakeKernel
import FoundationEssentials
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Tasks that start slowly, pass by pass on the fake kernel.
@Suite struct SlowStartTests {
    private static let web = PortBinding(1080, .tcp)
    static let options = PublishOptions(scheduler: .weightedRoundRobin, slowStartSeconds: 30)

    /// One task, whose service starts others slowly.
    static func node(_ addresses: [IPAddress] = ["10.0.0.11"], _ options: PublishOptions = options)
        async throws -> FakeNode
    {
        let node = FakeNode()
        let change = try await node.mesh().change { spec, view in
            for address in addresses { try spec.addTask(SpecTask(address: address), service: "nginx") }
            try spec.publish(web, target: 80, service: "nginx", options: options, avoiding: view.takenMarks)
        }
        #expect(change.plan.starting == [] && change.wake == nil)
        return node
    }

    private static func pass(_ node: FakeNode, after seconds: Double = 0) async throws -> MeshChange {
        node.kernel.withState { $0.time += UInt64(seconds * 1_000_000_000) }
        return try await node.mesh().reconcile()
    }

    static func starting(_ node: FakeNode) throws -> [IPAddress] {
        try #require(try node.ledgers.load()).starts.values.flatMap(\.since.keys).sorted()
    }

    static func add(_ address: IPAddress, _ node: FakeNode) async throws -> MeshChange {
        try await node.mesh().addTask(address, service: "nginx").change
    }

    // MARK: New tasks

    /// Each pass is of another process, as after a restart.
    @Test func aNewTaskGetsItsShareInSteps() async throws {
        let node = try await Self.node()
        let change = try await Self.add("10.0.0.12", node)
        #expect(try await node.weightsInKernel() == [10, 1])
        #expect(
            change.plan.starting.map(\.description) == [
                "task 10.0.0.12 of service nginx starts slowly: 1 tenth of its share, all of it in 30 s"
            ])
        #expect(change.wake?.reason == .slowStart)
        #expect(try Self.starting(node) == ["10.0.0.12"])
        #expect(try await node.mesh().plan().isEmpty)
        for step in 2...10 as ClosedRange<UInt32> {
            let pass = try await Self.pass(node, after: 3)
            #expect(try await node.weightsInKernel() == [10, step])
            #expect(pass.plan.starting.map(\.tenths) == [step] && pass.plan.steps.count == 1, "\(pass.plan)")
        }
        let last = try await Self.pass(node, after: 3)
        #expect(try await node.weightsInKernel() == [1, 1])
        #expect(last.wake == nil && last.plan.starting == [])
        #expect(try Self.starting(node) == [])
        #expect(try await !Self.pass(node).didChange)
    }

    /// The commands write no slow start of 0 s. Whoever edits the file may.
    @Test func noTimeIsNoSlowStart() async throws {
        let node = try await Self.node()
        _ = try await node.mesh().change { spec, _ in
            spec.services["nginx"]!.slowStartSeconds = 0
            try spec.addTask(SpecTask(address: "10.0.0.12"), service: "nginx")
        }
        #expect(try await node.weightsInKernel() == [1, 1])
        #expect(try Self.starting(node) == [])
    }

    /// The pass says when the next step is due, and the one that comes then takes it.
    @Test func thePassSaysWhenTheNextStepIsDue() async throws {
        let node = try await Self.node()
        var wake = try await Self.add("10.0.0.12", node).wake
        for step in 2...10 as ClosedRange<UInt32> {
            let due = try #require(wake)
            #expect(due.reason == .slowStart)
            node.kernel.withState { $0.time = due.time.nanoseconds - 1000 }
            wake = try await node.mesh().reconcile().wake
            #expect(try await node.weightsInKernel() == [10, step])
        }
        node.kernel.withState { $0.time = wake!.time.nanoseconds - 1000 }
        #expect(try await node.mesh().reconcile().wake == nil)
        #expect(try await node.weightsInKernel() == [1, 1])
    }

    /// Passes between the steps change nothing, and the same process does not repeat the result of one of them.
    @Test func passesOfOneProcess() async throws {
        let node = try await Self.node()
        let mesh = node.mesh()
        _ = try await mesh.addTask("10.0.0.12", service: "nginx")
        for _ in 1...3 { #expect(try await !mesh.reconcile().didChange) }
        node.kernel.withState { $0.time += 4_000_000_000 }
        #expect(try await mesh.reconcile().plan.steps.count == 1)
        #expect(try await node.weightsInKernel() == [10, 2])
    }

    /// Several at different times, with weights of their own.
    @Test func severalTasks() async throws {
        let node = try await Self.node(["10.0.0.11", "10.0.0.12"])
        _ = try await node.mesh().addTask("10.0.0.11", weight: 2, service: "nginx")
        _ = try await node.mesh().addTask("10.0.0.13", weight: 3, service: "nginx")
        #expect(try await node.weightsInKernel() == [20, 10, 3])
        node.kernel.withState { $0.time += 15_000_000_000 }
        _ = try await Self.add("10.0.0.14", node)
        #expect(try await node.weightsInKernel() == [20, 10, 18, 1])
        _ = try await Self.pass(node, after: 15)
        #expect(try await node.weightsInKernel() == [20, 10, 30, 6])
        _ = try await Self.pass(node, after: 15)
        #expect(try await node.weightsInKernel() == [2, 1, 3, 1])
    }

    @Test func whoeverIsNewTogetherStartsAtOnce() async throws {
        let node = try await Self.node(["10.0.0.11", "10.0.0.12"])
        #expect(try await node.weightsInKernel() == [1, 1])
        #expect(try Self.starting(node) == [])
        // Also where the tasks were there before anybody could connect to them.
        let other = FakeNode()
        _ = try await other.mesh().change { spec, _ in try spec.createService("nginx", options: Self.options) }
        _ = try await Self.add("10.0.0.11", other)
        _ = try await Self.add("10.0.0.12", other)
        _ = try await other.mesh().publish([(Self.web, 80)], service: "nginx", force: true)
        #expect(try await other.weightsInKernel() == [1, 1])
    }

    /// An editor, or another program, has written the spec: no pass knows the one before.
    @Test func aSpecThatSomebodyElseHasWritten() async throws {
        let node = try await Self.node()
        try await node.specs.update { try $0.addTask(SpecTask(address: "10.0.0.12"), service: "nginx") }
        _ = try await Self.pass(node)
        #expect(try await node.weightsInKernel() == [10, 1])
    }

    /// A change that sets the option and adds a task does both.
    @Test func theOptionAndATaskAtOnce() async throws {
        let node = try await Self.node(["10.0.0.11"], PublishOptions(scheduler: .weightedLeastConnection))
        _ = try await node.mesh().change { spec, _ in
            try spec.setOptions(PublishOptions(slowStartSeconds: 10), ofService: "nginx")
            try spec.addTask(SpecTask(address: "10.0.0.12"), service: "nginx")
        }
        #expect(try await node.weightsInKernel() == [10, 1])
        _ = try await Self.pass(node, after: 10)
        #expect(try await node.weightsInKernel() == [1, 1])
        let other = try await Self.node(["10.0.0.11", "10.0.0.12"], PublishOptions(scheduler: .neverQueue))
        _ = try await other.mesh().change { spec, _ in
            try spec.setOptions(PublishOptions(slowStartSeconds: 10), ofService: "nginx")
        }
        #expect(try await other.weightsInKernel() == [1, 1], "nobody is new")
    }

    @Test func flowsOfUDP() async throws {
        let node = FakeNode()
        _ = try await node.mesh().change { spec, view in
            try spec.addTask(SpecTask(address: "10.0.0.11"), service: "dns")
            try spec.publish(
                PortBinding(5353, .udp), target: 53, service: "dns", options: Self.options,
                avoiding: view.takenMarks)
        }
        _ = try await node.mesh().addTask("10.0.0.12", service: "dns")
        #expect(try await node.weightsInKernel() == [10, 1])
    }

    // MARK: Families

    /// The first task of a family has nobody to leave the load to. The next one has, and the other family has no part in it.
    @Test func theFirstTaskOfAFamilyHasItsWholeShare() async throws {
        let node = try await Self.node()
        let change = try await node.mesh().change { spec, _ in
            try spec.addTask(SpecTask(address: "fd00::11"), service: "nginx")
        }
        #expect(try await node.weightsInKernel() == [1, 1])
        #expect(change.plan.starting == [] && change.wake == nil)
        _ = try await Self.add("fd00::12", node)
        #expect(try await node.weightsInKernel() == [1, 10, 1])
        #expect(try Self.starting(node) == ["fd00::12"])
        _ = try await Self.add("10.0.0.12", node)
        #expect(try await node.weightsInKernel() == [10, 1, 10, 1])
        _ = try await Self.pass(node, after: 30)
        #expect(try await node.weightsInKernel() == [1, 1, 1, 1])
    }

    /// Tasks of the other family do not take over what the last old task had.
    @Test func allOthersOfTheFamilyLeaveMidway() async throws {
        let node = try await Self.node(["10.0.0.11", "fd00::11"])
        _ = try await Self.add("10.0.0.12", node)
        #expect(try await node.weightsInKernel() == [10, 1, 1])
        _ = try await node.mesh().removeTask("10.0.0.11", service: "nginx", cutting: true)
        #expect(try await node.weightsInKernel() == [1, 1])
        #expect(try Self.starting(node) == [])
    }

    /// Nobody comes to an IPv6 task by a port at an IPv4 address: once somebody can, it is as new as all others.
    @Test func aTaskThatNoPortLeadsTo() async throws {
        let node = FakeNode()
        _ = try await node.mesh().change { spec, view in
            try spec.addTask(SpecTask(address: "10.0.0.11"), service: "nginx")
            try spec.addTask(SpecTask(address: "fd00::11"), service: "nginx")
            try spec.publish(
                PortBinding(1080, .tcp, at: "192.168.5.1"), target: 80, service: "nginx", options: Self.options,
                avoiding: view.takenMarks)
        }
        #expect(try node.ledgers.load()?.starts["nginx"] == StartRecord(used: ["10.0.0.11"]))
        _ = try await node.mesh().change { spec, view in
            try spec.publish(PortBinding(1081, .tcp), target: 80, service: "nginx", avoiding: view.takenMarks)
        }
        #expect(try Self.starting(node) == [])
        #expect(try node.ledgers.load()?.starts["nginx"]?.used == ["10.0.0.11", "fd00::11"])
    }

    /// Tasks share the load where a balancer has both, directly or by a third one.
    @Test func tasksThatShareTheLoad() throws {
        func task(_ ingress: [IPAddress], _ back: [IPAddress] = []) -> SpecTask {
            let networks = [MeshNetwork.ingress: ingress, "back": back].filter { !$0.value.isEmpty }
            let attachment = TaskAttachment(namespace: "/run/netns/\((ingress + back)[0])", addresses: networks)
            return SpecTask(address: (ingress + back)[0], node: "a", attachment: attachment)
        }
        var service = MeshSpec.Service()
        service.ports = [PublishedPort(listening: Self.web, target: 80, mark: 256)]
        func groups() -> Set<Set<IPAddress>> {
            Set(service.groupsSharingLoad(among: service.tasks).map { Set($0.map(\.address)) })
        }
        service.tasks = [task(["10.255.0.4"]), task(["fd05::5"]), task(["10.255.0.6"])]
        #expect(groups() == [["10.255.0.4", "10.255.0.6"], ["fd05::5"]])
        service.tasks.append(task(["10.255.0.7", "fd05::7"]))
        #expect(groups() == [["10.255.0.4", "10.255.0.6", "fd05::5", "10.255.0.7"]])
        service.ports[0].listening = PortBinding(1080, .tcp, at: "192.168.5.1")
        #expect(groups() == [["10.255.0.4", "10.255.0.6", "10.255.0.7"]], "nobody gets to fd05::5")
        // On a network of which some are members, and without published ports.
        service.ports = []
        #expect(groups() == [])
        service.virtualAddresses["back"] = VirtualAddress(addresses: ["10.0.1.2"], mark: 257)
        service.tasks = [task(["10.255.0.4"]), task(["10.255.0.5"], ["10.0.1.5"]), task([], ["10.0.1.6"])]
        #expect(groups() == [["10.255.0.5", "10.0.1.6"]])
    }

    // MARK: The end of it

    @Test func theOptionIsRemovedMidway() async throws {
        let node = try await Self.node()
        _ = try await Self.add("10.0.0.12", node)
        _ = try await Self.pass(node, after: 7)
        let change = try await node.mesh().change { spec, _ in
            try spec.setOptions(PublishOptions(slowStartSeconds: 0), ofService: "nginx")
        }
        #expect(try await node.weightsInKernel() == [1, 1])
        #expect(change.wake == nil && change.ledger.starts == [:])
    }

    /// Another time holds from the beginning on.
    @Test func theTimeIsChangedMidway() async throws {
        let node = try await Self.node()
        _ = try await Self.add("10.0.0.12", node)
        _ = try await Self.pass(node, after: 15)
        #expect(try await node.weightsInKernel() == [10, 6])
        _ = try await node.mesh().change { spec, _ in
            try spec.setOptions(PublishOptions(slowStartSeconds: 150), ofService: "nginx")
        }
        #expect(try await node.weightsInKernel() == [10, 2])
    }

    @Test func theTaskLeavesMidway() async throws {
        let node = try await Self.node()
        _ = try await Self.add("10.0.0.12", node)
        let change = try await node.mesh().removeTask("10.0.0.12", service: "nginx", cutting: true).change
        #expect(try await node.weightsInKernel() == [1])
        #expect(change.ledger.starts["nginx"] == StartRecord(used: ["10.0.0.11"]))
        _ = try await Self.add("10.0.0.12", node)
        #expect(try await node.weightsInKernel() == [10, 1], "it is new again")
    }

    /// There is nobody left to take the load.
    @Test func allOthersLeaveMidway() async throws {
        let node = try await Self.node()
        _ = try await Self.add("10.0.0.12", node)
        _ = try await Self.pass(node, after: 10)
        _ = try await Self.add("10.0.0.13", node)
        #expect(try await node.weightsInKernel() == [10, 4, 1])
        _ = try await node.mesh().removeTask("10.0.0.11", service: "nginx", cutting: true)
        #expect(try await node.weightsInKernel() == [1, 1])
        #expect(try Self.starting(node) == [])
    }

    @Test func anotherBoot() async throws {
        let node = try await Self.node()
        _ = try await Self.add("10.0.0.12", node)
        node.kernel.withState { state in
            state.namespaces = FakeKernel().withState(\.namespaces)
            state.identity.bootID = "b008"
        }
        _ = try await Self.pass(node)
        #expect(try await node.weightsInKernel() == [1, 1])
    }

    @Test func reset() async throws {
        let node = try await Self.node()
        _ = try await Self.add("10.0.0.12", node)
        #expect(try await node.mesh().reset().ledger.starts == [:])
    }

    // MARK: Attached tasks

    /// The sandbox, and the balancer of a user network.
    @Test func attachedTasks() async throws {
        let node = FakeNode()
        for number in 1...2 as ClosedRange<UInt64> {
            node.kernel.withState { $0.addTask("/run/netns/t\(number)", inode: number) }
        }
        _ = try await node.mesh().change { spec, view in
            try spec.addNode(view.ledger.node)
            try spec.ensureIngress(node: view.ledger.node)
            try spec.createNetwork("back")
            try spec.createService("nginx", options: Self.options)
        }
        func attach(_ number: UInt64) async throws -> MeshChange {
            try await node.mesh().change { spec, view in
                try spec.attach(
                    TaskAttachmentRequest(
                        namespace: "/run/netns/t\(number)", inode: number, node: view.ledger.node, networks: ["back"]),
                    service: "nginx")
            }
        }
        func expect(_ weights: [UInt32], _ when: String) async throws {
            let observed = try await node.mesh().observe().view.observed
            for place in [.sandbox, .balancer("back")] as [PlaceID] {
                let entries = observed[place].table.entries.values
                #expect(!entries.isEmpty, "\(when), in \(place)")
                for entry in entries {
                    let found = entry.destinations.values.sorted { $0.id < $1.id }.map(\.weight)
                    #expect(found == weights, "\(when), in \(place)")
                }
            }
        }
        _ = try await attach(1)
        _ = try await node.mesh().publish([(Self.web, 80)], service: "nginx", force: true)
        try await expect([1], "at first")
        _ = try await attach(2)
        try await expect([10, 1], "with another")
        _ = try await Self.pass(node, after: 4)
        try await expect([10, 2], "after a step")
        node.kernel.withState { $0.removeTask("/run/netns/t2") }
        _ = try await Self.pass(node)
        try await expect([1], "after it has ended")
        #expect(try Self.starting(node) == [])
    }

    // MARK: The ledger

    @Test func theLedgerSaysIt() throws {
        var ledger = Ledger(node: "node1", id: "0123456789abcdef")
        let plain = try String(decoding: JSONEncoder().encode(ledger), as: UTF8.self)
        #expect(!plain.contains("starts"), "nothing is written of nobody")
        #expect(try JSONDecoder().decode(Ledger.self, from: Data(plain.utf8)) == ledger)
        ledger.starts = [
            "a": StartRecord(used: ["10.0.0.11"]),
            "b": StartRecord(
                used: ["10.0.0.12", "fd00::12"], since: ["fd00::12": BootTime(nanoseconds: 12_000_000_001)]),
        ]
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let text = try String(decoding: encoder.encode(ledger), as: UTF8.self)
        #expect(
            text.contains(
                #""starts":{"a":{"used":["10.0.0.11"]},"b":{"since":{"fd00::12":12000000001},"#
                    + #""used":["10.0.0.12","fd00::12"]}}"#), "\(text)")
        #expect(try JSONDecoder().decode(Ledger.self, from: Data(text.utf8)) == ledger)
        let damaged = text.replacing(#"{"fd00::12":"#, with: #"{"web":"#)
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(Ledger.self, from: Data(damaged.utf8)) }
    }
}
