import FakeKernel
import IPVSKit
import IPVSKitTesting
import Netlink
import RuleKit
import SystemPackage
import TestSupport
import Testing

@testable import MeshKit

#if canImport(Glibc)
    import Glibc
#endif

/// The agent on the fake kernel, with news from the test.
@Suite(.timeLimit(.minutes(1))) struct AgentTests {
    /// News from the test.
    private final class News: AgentEvents {
        private let news = Locked(AgentNews())

        func post(_ more: AgentNews) { news.withLock { $0.formUnion(more) } }
        func start(onFailure: @escaping @Sendable (String, any Error) -> Void) async throws {}
        func drain() -> AgentNews {
            news.withLock { news in
                defer { news = AgentNews() }
                return news
            }
        }
        func tasksHaveChanged() { post(AgentNews(tasks: true)) }
        func endPass(following generation: UInt64?) async -> AgentNews { drain() }
        func wait(for limit: Duration, listeningTo interest: AgentInterest) async throws {
            let end = ContinuousClock.now + limit
            func isNews(_ news: inout AgentNews) -> Bool {
                switch interest {
                case .nothing: false
                case .requests: news.documents || news.tasks
                case .everything: !news.isEmpty
                }
            }
            while ContinuousClock.now < end, !Task.isCancelled, !news.withLock(isNews) {
                try? await Task.sleep(for: .milliseconds(1))
            }
        }
    }

    /// Finds the tasks ill that a test says.
    private final class Prober: HealthProber {
        let ill = Locked<Set<IPAddress>>([])

        func probe(_ probes: [HealthProbe], from site: ProbeSite) async -> [HealthProbe: HealthAnswer] {
            let ill = ill.withLock(\.self)
            return Dictionary(
                uniqueKeysWithValues: probes.map { ($0, ill.contains($0.task) ? .bad("refused") : .good) })
        }
    }

    private final class Source: TaskSource {
        let name = "docker"
        private let report = Locked<(@Sendable (SourceReport) -> Void)?>(nil)

        func run(reporting report: @escaping @Sendable (SourceReport) -> Void) async {
            self.report.withLock { $0 = report }
            try? await Task.sleep(for: .seconds(3600))
        }

        func tell(_ tasks: SourceReport) async throws {
            while report.withLock({ $0 == nil }) { try await Task.sleep(for: .milliseconds(1)) }
            report.withLock(\.self)!(tasks)
        }
    }

    /// A node with a published port, and an agent.
    private struct Running {
        let node = FakeNode()
        let news = News()
        let lines = Locked<[String]>([])
        let events = Locked<[Agent.Event]>([])
        let passes = Locked<[PassRecord]>([])

        let prober = Prober()
        /// Reports what a test says.
        let source = Source()

        func agent(in directory: FilePath, limits: PassSchedule.Limits = .init()) -> Agent {
            let lines = lines
            let events = events
            let passes = passes
            return Agent(
                of: node.mesh(), in: directory, events: news, limits: limits, findingTasksBy: [source],
                probingBy: prober,
                logger: RecordingLog.logger(to: lines)
            ) { event in
                events.withLock { $0.append(event) }
            } reporting: { report in
                if case .pass(let pass) = report { passes.withLock { $0.append(pass) } }
            }
        }

        func publish() async throws {
            try await node.specs.update { spec in
                try spec.addTask(SpecTask(address: "10.0.0.11"), service: "nginx")
                try spec.publish(PortBinding(1080, .tcp), target: 80, service: "nginx")
            }
        }

        /// Waits until it comes true.
        func until(_ what: String, _ condition: () async throws -> Bool) async throws {
            let end = ContinuousClock.now + .seconds(10)
            while try await !condition() {
                guard ContinuousClock.now < end else {
                    Issue.record("\(what) did not come true: \(lines.withLock(\.self))")
                    return
                }
                try await Task.sleep(for: .milliseconds(2))
            }
        }

        var isServing: Bool { get async throws { try await node.marksInKernel() == [0x100] } }

        /// Runs the agent while the body runs, and then ends it.
        func withAgent(
            limits: PassSchedule.Limits = .init(), _ body: (FilePath) async throws -> Void
        ) async throws {
            try await TemporaryDirectory.with { directory in
                let agent = agent(in: directory, limits: limits)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await agent.run() }
                    try await until("the agent being ready") { events.withLock(\.self).contains(.ready) }
                    try await body(directory)
                    group.cancelAll()
                    try await group.waitForAll()
                }
                #expect(events.withLock(\.last) == .stopping)
            }
        }
    }

    /// So long that nothing happens by itself in a test.
    private static var patient: PassSchedule.Limits {
        var limits = PassSchedule.Limits()
        limits.period = .seconds(3600)
        return limits
    }

    @Test func aPassAtTheStartMakesTheKernelFollowTheSpec() async throws {
        let running = Running()
        try await running.publish()
        try await running.withAgent(limits: Self.patient) { _ in
            let isServing = try await running.isServing
            #expect(isServing)
            let lines = running.lines.withLock(\.self)
            #expect(lines.contains("info create service FWM 256: scheduler rr"), "\(lines)")
            #expect(running.events.withLock(\.self) == [.ready, .alive])
        }
    }

    /// What was asked for is no repair, and what others have changed is one. A failure has its reason.
    @Test func eachPassIsReported() async throws {
        let running = Running()
        try await running.publish()
        try await running.withAgent(limits: Self.patient) { _ in
            let node = running.node.kernel.withState { $0.namespaces["node"]! }
            try await node.ipvs.client.delete(.firewallMark(0x100, .ipv4))
            running.news.post(AgentNews(places: [.node]))
            try await running.until("a repair") { running.passes.withLock(\.count) > 1 }
            try await running.node.specs.update { $0.services = [:] }
            running.news.post(AgentNews(documents: true))
            try await running.until("a pass for the documents") { running.passes.withLock(\.count) > 2 }
        }
        let passes = running.passes.withLock(\.self)
        #expect(passes.map(\.cause) == ["start", "kernel", "documents"])
        #expect(passes.map(\.isRepair) == [false, true, false])
        #expect(passes.allSatisfy { $0.steps > 0 && $0.error == nil && $0.duration > .zero }, "\(passes)")
    }

    @Test(arguments: [AgentNews(documents: true), AgentNews(places: [.node])])
    func newsMakeAPass(news: AgentNews) async throws {
        let running = Running()
        try await running.withAgent(limits: Self.patient) { _ in
            #expect(try await !running.isServing)
            try await running.publish()
            running.news.post(news)
            try await running.until("the port being served") { try await running.isServing }
        }
    }

    @Test func thePeriodMakesAPassWithoutNews() async throws {
        var limits = PassSchedule.Limits()
        limits.period = .milliseconds(20)
        let running = Running()
        try await running.withAgent(limits: limits) { _ in
            try await running.publish()
            try await running.until("the port being served") { try await running.isServing }
        }
    }

    /// A container comes with a label, is found to be ill, and goes.
    @Test func tasksThatASourceHasFound() async throws {
        let running = Running()
        try await running.withAgent(limits: Self.patient) { _ in
            var task = FoundTask("web1", services: ["web"])
            task.makesService = true
            task.addresses = ["10.0.0.11"]
            task.ports = [.init(listening: PortBinding(21080, .tcp), target: 80)]
            try await running.source.tell(.tasks([task]))
            try await running.until("the port being served") { try await running.isServing }
            let spec = try await running.node.specs.load()
            #expect(
                spec.services["web"]?.tasks.map(\.origin) == [
                    Origin("docker", on: spec.services["web"]!.tasks[0].node!)
                ])
            try await running.until("the line") {
                running.lines.withLock { $0.contains { $0.hasPrefix("info mesh: + service web, task 10.0.0.11") } }
            }
            try await running.source.tell(.unreachable("it is down"))
            try await running.until("the warning") {
                running.lines.withLock { $0.contains { $0.hasPrefix("warning docker cannot be asked for tasks") } }
            }
            #expect(try await running.isServing)
            try await running.source.tell(.tasks([]))
            try await running.until("the port being gone") { try await !running.isServing }
            #expect(try await running.node.specs.load().services.isEmpty)
        }
    }

    /// A task that fails its checks gets no new connections; if all fail, all are used; and a command does not undo it.
    @Test func tasksThatFailTheirChecks() async throws {
        let running = Running()
        try await running.publish()
        try await running.node.specs.update { spec in
            try spec.addTask(SpecTask(address: "10.0.0.12"), service: "nginx")
            try spec.setOptions(
                PublishOptions(healthCheck: .some(try HealthCheck("tcp,interval=1s,timeout=1s,fall=1,rise=1"))),
                ofService: "nginx")
        }
        func weights() async throws -> [UInt32] { try await running.node.weightsInKernel() }
        try await running.withAgent(limits: Self.patient) { _ in
            running.prober.ill.withLock { $0 = ["10.0.0.11"] }
            try await running.until("weight 0") { try await weights() == [0, 1] }
            #expect(try running.node.ledgers.load()?.unhealthy == ["nginx": ["10.0.0.11"]])
            _ = try await running.node.mesh().reconcile()
            #expect(try await weights() == [0, 1])
            running.prober.ill.withLock { $0 = ["10.0.0.11", "10.0.0.12"] }
            try await running.until("all being used") { try await weights() == [1, 1] }
            try await running.until("the warning") {
                running.lines.withLock { $0.contains { $0.hasPrefix("warning no task of service nginx is healthy") } }
            }
            running.prober.ill.withLock { $0 = [] }
            try await running.until("health") { try running.node.ledgers.load()?.unhealthy == [:] }
            #expect(try await weights() == [1, 1])
        }
    }

    /// The agent takes the steps of a slow start by itself, and the next agent goes on where it stopped.
    @Test func aTaskThatStartsSlowly() async throws {
        let running = Running()
        try await running.publish()
        try await running.node.specs.update { spec in
            let options = PublishOptions(scheduler: .weightedRoundRobin, slowStartSeconds: 1)
            try spec.setOptions(options, ofService: "nginx")
        }
        func until(_ wanted: [UInt32]) async throws {
            try await running.until("\(wanted)") { try await running.node.weightsInKernel() == wanted }
        }
        func advance(_ tenths: UInt64) { running.node.kernel.withState { $0.time += tenths * 100_000_000 } }
        try await running.withAgent(limits: Self.patient) { _ in
            try await running.node.specs.update { try $0.addTask(SpecTask(address: "10.0.0.12"), service: "nginx") }
            running.news.post(AgentNews(documents: true))
            try await until([10, 1])
            advance(1)
            try await until([10, 2])
            // A pass is reported a moment after it has changed the kernel.
            try await running.until("the report") {
                running.passes.withLock { $0.contains { $0.cause == "slow-start" && $0.steps == 1 && !$0.isRepair } }
            }
        }
        running.events.withLock { $0 = [] }
        try await running.withAgent(limits: Self.patient) { _ in
            #expect(try await running.node.weightsInKernel() == [10, 2])
            advance(3)
            try await until([10, 5])
            advance(6)
            try await until([1, 1])
        }
        let lines = running.lines.withLock(\.self)
        #expect(lines.contains("info task 10.0.0.12 of service nginx starts slowly"), "\(lines)")
        #expect(lines.contains("info task 10.0.0.12 of service nginx starts slowly no more"), "\(lines)")
    }

    /// A task with a label that names its service.
    private static func task(_ name: String, _ address: IPAddress, of service: String = "nginx") -> FoundTask {
        var task = FoundTask(name, services: [service])
        task.makesService = true
        task.addresses = [address]
        return task
    }

    /// While nothing can be saved, the kernel is kept as it is; what was found is taken over afterwards.
    @Test func tasksThatCannotBeTakenOver() async throws {
        let running = Running()
        try await running.publish()
        try await running.withAgent(limits: Self.patient) { _ in
            var task = Self.task("web1", "10.0.0.12", of: "web")
            try await running.source.tell(.tasks([task]))
            func found() async throws -> SpecTask? { try await running.node.specs.load().services["web"]?.tasks.first }
            try await running.until("the task") { try await found()?.isUnhealthy == false }
            running.node.gate.refuse("swap the spec", with: .noSpace)
            task.isHealthy = false
            try await running.source.tell(.tasks([task]))
            try await running.until("the warning") {
                running.lines.withLock { $0.contains { $0.contains("the tasks that were found cannot be taken over") } }
            }
            #expect(try await running.isServing)
            running.node.gate.refuse(nil)
            running.news.post(AgentNews(documents: true))
            try await running.until("its health") { try await found()?.isUnhealthy == true }
        }
    }

    /// A failure that passes puts nobody off.
    @Test func aTaskIsTriedTwice() async throws {
        let running = Running()
        try await running.publish()
        try await running.withAgent(limits: Self.patient) { _ in
            running.node.gate.begin(failing: (1, .noSpace))
            try await running.source.tell(.tasks([Self.task("web1", "10.0.0.12", of: "web")]))
            try await running.until("the task") { try await running.node.specs.load().services["web"] != nil }
        }
    }

    /// A container whose wishes this node refuses keeps no other one from coming and going, and is tried again.
    @Test func oneTaskThatCannotBeTakenOver() async throws {
        let running = Running()
        try await running.publish()
        try await running.withAgent(limits: Self.patient) { _ in
            let (leaving, staying) = (Self.task("a", "10.0.0.12"), Self.task("b", "10.0.0.13"))
            try await running.source.tell(.tasks([leaving, staying]))
            try await running.until("the first tasks") {
                try await running.node.specs.load().services["nginx"]?.tasks.count == 3
            }
            var bad = Self.task("bad", "10.0.0.14", of: "bad")
            bad.ports = [.init(listening: PortBinding(9443, .tcp), target: 443)]
            var ill = staying
            ill.isHealthy = false
            running.node.gate.refuse("9443", with: .notSupported)
            try await running.source.tell(.tasks([bad, ill, Self.task("c", "10.0.0.15"), Self.task("d", "10.0.0.16")]))
            try await running.until("the others") {
                let tasks = try await running.node.specs.load().services["nginx"]?.tasks ?? []
                return Set(tasks.map(\.address)) == ["10.0.0.11", "10.0.0.13", "10.0.0.15", "10.0.0.16"]
            }
            try await running.until("the warning") {
                running.lines.withLock { $0.contains { $0.contains("what docker says of bad is not taken over") } }
            }
            let spec = try await running.node.specs.load()
            #expect(spec.services["bad"] == nil)
            #expect(spec.services["nginx"]?.tasks.first { $0.address == "10.0.0.13" }?.isUnhealthy == true)
            // While it is put off, the next one needs no second try.
            running.passes.withLock { $0 = [] }
            running.node.gate.begin()
            running.node.gate.refuse("9443", with: .notSupported)
            try await running.source.tell(.tasks([bad, ill, Self.task("c", "10.0.0.15")]))
            try await running.until("one less") {
                try await running.node.specs.load().services["nginx"]?.tasks.count == 3
            }
            #expect(running.node.gate.operations.count { $0 == "swap the spec" } == 1)
        }
    }

    /// An agent that begins and finds no spec does not take down what the ledger says is there.
    @Test func anAgentBeginsWithoutTheSpec() async throws {
        let running = Running()
        try await running.publish()
        _ = try await running.node.mesh().reconcile()
        running.node.specs.lose()
        try await TemporaryDirectory.with { directory in
            _ = await #expect(throws: AgentError.specIsGone(directory)) {
                try await running.agent(in: directory, limits: Self.patient).run()
            }
        }
        #expect(try await running.isServing)
    }

    /// A pass with nothing to do writes nothing, and asks for no other.
    @Test func atRestNothingHappens() async throws {
        let running = Running()
        try await running.publish()
        try await running.withAgent(limits: Self.patient) { _ in
            running.node.gate.begin()
            running.news.post(AgentNews(places: [.node]))
            try await running.until("the pass") { running.events.withLock(\.count) == 3 }
            try await Task.sleep(for: .milliseconds(200))
            #expect(running.events.withLock(\.self) == [.ready, .alive, .alive])
            #expect(running.node.gate.operations == [])
        }
    }

    @Test func aFirstPassThatFailsEndsTheAgent() async throws {
        let running = Running()
        try await running.publish()
        running.node.gate.begin(failing: (1, .noSpace))
        try await TemporaryDirectory.with { directory in
            let agent = running.agent(in: directory)
            _ = await #expect(throws: StoreError.self) { try await agent.run() }
        }
        #expect(running.events.withLock(\.self) == [])
    }

    @Test func aLaterFailureIsLoggedOnceAndTriedAgain() async throws {
        var limits = Self.patient
        limits.firstRetry = .milliseconds(10)
        limits.lastRetry = .milliseconds(10)
        let running = Running()
        try await running.withAgent(limits: limits) { _ in
            running.node.kernel.withState { $0.identity.inode = 1 }
            running.node.kernel.withState { $0.whereabouts = "elsewhere" }
            running.news.post(AgentNews(documents: true))
            let before = running.events.withLock(\.count)
            try await running.until("five tries") { running.events.withLock(\.count) >= before + 5 }
            #expect(running.lines.withLock { $0.count { $0.hasPrefix("error ") } } == 1)
            #expect(running.passes.withLock { $0.last?.error?.contains("elsewhere") } == true)
            running.node.kernel.withState { $0.identity.inode = 4711 }
            try await running.publish()
            try await running.until("the port being served") { try await running.isServing }
            try await running.until("the line") {
                running.lines.withLock { $0.contains("notice the kernel holds what it should again") }
            }
        }
    }

    /// A spec that was never saved is empty. One that has gone is none.
    @Test func aSpecThatHasGoneTakesNothingDown() async throws {
        let running = Running()
        try await running.publish()
        try await TemporaryDirectory.with { directory in
            let store = FileSpecStore(directory: directory)
            let spec = try await running.node.specs.load()
            try await store.update { $0 = spec }
            let lines = running.lines
            let agent = Agent(
                of: Mesh(store: store, ledger: running.node.ledgers, kernel: running.node.kernel), in: directory,
                events: running.news, limits: Self.patient,
                logger: RecordingLog.logger(to: lines))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await agent.run() }
                try await running.until("the port being served") { try await running.isServing }
                let text = try store.file.text()
                #expect(remove(store.file.string) == 0)
                running.news.post(AgentNews(documents: true))
                try await running.until("the failure") { lines.withLock { $0.contains { $0.contains("is gone") } } }
                #expect(try await running.isServing)
                try store.file.write(text)
                running.news.post(AgentNews(documents: true))
                try await running.until("the end of the failure") {
                    lines.withLock { $0.contains { $0.hasSuffix("holds what it should again") } }
                }
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }

    @Test func aSecondAgentOfAFolderIsRefused() async throws {
        let running = Running()
        try await running.withAgent(limits: Self.patient) { directory in
            let error = await #expect(throws: AgentError.self) { try await Running().agent(in: directory).run() }
            #expect(error == .isRunning(directory))
        }
        // The first has gone.
        try await Running().withAgent { _ in }
    }
}
