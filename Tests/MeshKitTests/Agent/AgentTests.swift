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
