import FakeKernel
import IPVSKit
import Netlink
import RuleKit
import SystemPackage
import TestSupport
import Testing

@testable import MeshKit

/// What the tests of the agent run it with.
extension AgentTests {
    /// News from the test.
    final class News: AgentEvents {
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
    final class Prober: HealthProber {
        let ill = Locked<Set<IPAddress>>([])

        func probe(_ probes: [HealthProbe], from site: ProbeSite) async -> [HealthProbe: HealthAnswer] {
            let ill = ill.withLock(\.self)
            return Dictionary(
                uniqueKeysWithValues: probes.map { ($0, ill.contains($0.task) ? .bad("refused") : .good) })
        }
    }

    final class Source: TaskSource {
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
    struct Running {
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
    static var patient: PassSchedule.Limits {
        var limits = PassSchedule.Limits()
        limits.period = .seconds(3600)
        return limits
    }
}
