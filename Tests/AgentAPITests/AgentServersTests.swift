import FakeKernel
import IPVSKit
import Logging
import MeshKit
import Netlink
import RuleKit
import ServiceLifecycle
import SystemPackage
import TestSupport
import Testing

@testable import AgentAPI

/// The agent on the fake kernel and its servers as the services of one group, as `meshctl agent` has them.
@Suite(.serialized, .timeLimit(.minutes(1))) struct AgentServersTests {
    /// Nothing ever happens but that time passes.
    private struct Silence: AgentEvents {
        func start(onFailure: @escaping @Sendable (String, any Error) -> Void) async throws {}
        func drain() -> AgentNews { AgentNews() }
        func tasksHaveChanged() {}
        func endPass(following generation: UInt64?) async -> AgentNews { AgentNews() }
        func wait(for limit: Duration, listeningTo interest: AgentInterest) async throws {
            try? await Task.sleep(for: limit)
        }
    }

    private struct AgentService: Service {
        let agent: Agent
        func run() async throws { try await cancelWhenGracefulShutdown { try await agent.run() } }
    }

    /// A group of an agent and of its servers, with the servers' warnings.
    private func group(
        _ node: FakeNode, in directory: FilePath, at addresses: [AgentServer.Address], _ information: AgentInformation,
        warnings: Locked<[String]> = Locked([]),
        isListening: @escaping @Sendable (AgentServer.Address) -> Void = { _ in }
    ) -> ServiceGroup {
        let logger = Logger(label: "test") { _ in EventLog(to: information.events, level: .info) { "now" } }
        let quiet = RecordingLog.logger(to: warnings, from: .warning)
        let servers = AgentServers(at: addresses, answering: information, logger: quiet, isListening: isListening)
        let agent = Agent(of: node.mesh(), in: directory, events: Silence(), logger: logger) { _ in
        } reporting: { report in
            switch report {
            case .begun: servers.begin()
            case .pass(let pass): information.add(pass)
            }
        }
        let services: [any Service] = [AgentService(agent: agent), servers]
        return ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map {
                    .init(
                        service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .cancelGroup)
                }, gracefulShutdownSignals: [], logger: quiet))
    }

    private func information(_ node: FakeNode) -> AgentInformation {
        AgentInformation(
            identity: { "" }, observe: { try await node.mesh().observe() }, status: { _ in "{}" }, plan: { "{}" },
            changes: MeshChanges(.telling), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func published() async throws -> FakeNode {
        let node = FakeNode()
        try await node.specs.update { spec in
            try spec.addTask(SpecTask(address: "10.0.0.11"), service: "nginx")
            try spec.publish(PortBinding(1080, .tcp), target: 80, service: "nginx")
        }
        return node
    }

    @Test func anAgentAnswersWhileItRunsAndEndsWhenItIsAskedTo() async throws {
        try await TemporaryDirectory.with { directory in
            let node = try await published()
            let information = information(node)
            let address = AgentServer.Address.socket(directory.appending("agent.sock"))
            let (places, listening) = AsyncStream<AgentServer.Address>.makeStream()
            let group = group(
                node, in: directory, at: [address, .tcp(MetricsAddress("127.0.0.1", port: 0))], information
            ) { listening.yield($0) }
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                var all: [AgentServer.Address] = []
                for await place in places {
                    all.append(place)
                    if all.count == 2 { break }
                }
                for place in all {
                    while try await RawClient.ask(place, "/readyz").status != 200 {
                        try await Task.sleep(for: .milliseconds(20))
                    }
                    let text = try await RawClient.ask(place, "/metrics").body
                    #expect(text.contains(#"meshctl_passes_total{cause="start",outcome="good"} 1"#), "\(text)")
                    #expect(
                        text.contains(
                            #"meshctl_task_weight{service="nginx",port="1080",transport="tcp",task="10.0.0.11""#))
                }
                let stream = try RawClient(address)
                await stream.send("GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
                _ = await stream.read { $0.contains("\r\n\r\n") }
                let start = ContinuousClock.now
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
                #expect(.now - start < .seconds(2))
                #expect(await stream.read().hasEnded)
            }
            #expect(try await Shell.check("ls", directory.string) == "agent.lock\n")
        }
    }

    /// A port that somebody has ends the agent, although its socket answers.
    @Test func aPortThatIsTaken() async throws {
        try await TemporaryDirectory.with { directory in
            let socket = AgentServer.Address.socket(directory.appending("agent.sock"))
            try await ServerUnderTest.with(at: .tcp(MetricsAddress("127.0.0.1", port: 0))) { server in
                let node = try await published()
                let group = group(node, in: directory, at: [socket, server.address], information(node))
                let error = await #expect(throws: AgentServerError.self) { try await group.run() }
                #expect(
                    error?.description.contains("cannot listen at \(server.address): Address already in use") == true)
            }
        }
    }

    /// At boot the agent begins before the network is up: an address that the node does not have is waited for.
    @Test func anAddressThatTheNodeDoesNotHave() async throws {
        try await TemporaryDirectory.with { directory in
            let node = try await published()
            let warnings = Locked<[String]>([])
            let socket = AgentServer.Address.socket(directory.appending("agent.sock"))
            // An address for documentation, which no host has.
            let absent = AgentServer.Address.tcp(MetricsAddress("192.0.2.77", port: 9809))
            let group = group(node, in: directory, at: [absent, socket], information(node), warnings: warnings)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                let end = ContinuousClock.now + .seconds(20)
                func isReady() async -> Bool { (try? await RawClient.ask(socket, "/readyz").status) == 200 }
                while await !isReady() || warnings.withLock(\.isEmpty), .now < end {
                    try await Task.sleep(for: .milliseconds(20))
                }
                #expect(await isReady())
                // It has tried again by then.
                try await Task.sleep(for: .milliseconds(1500))
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
            let lines = warnings.withLock { $0.filter { $0.contains("192.0.2.77") } }
            #expect(
                lines.count == 1 && lines[0].hasPrefix("warning the agent cannot listen at 192.0.2.77:9809: "),
                "\(lines)")
        }
    }

    /// A server that cannot listen ends the agent; a second agent ends because of the first, not because of its socket.
    @Test func whatKeepsAnAgentFromBeginning() async throws {
        try await TemporaryDirectory.with { directory in
            let address = AgentServer.Address.socket(directory.appending("agent.sock"))
            try await ServerUnderTest.with(at: address) { _ in
                let node = try await published()
                // A folder of its own: a process that another test begins may keep the lock for a moment longer.
                let taken = group(node, in: directory.appending("taken"), at: [address], information(node))
                let error = await #expect(throws: AgentServerError.self) { try await taken.run() }
                #expect(error?.description.contains("another agent answers at") == true)
                // So does one of several; the others do not wait.
                let other = AgentServer.Address.socket(directory.appending("other.sock"))
                for addresses in [[other, address], [address, other, .tcp(MetricsAddress("127.0.0.1", port: 0))]] {
                    let taken = group(
                        node, in: directory.appending("among\(addresses.count)"), at: addresses, information(node))
                    let error = await #expect(throws: AgentServerError.self) { try await taken.run() }
                    #expect(error?.description.contains("another agent answers at") == true)
                }
                // The first agent has its lock once its kernel holds something; the kernel above does already.
                let running = try await published()
                let first = group(running, in: directory, at: [], information(running))
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { try await first.run() }
                    let end = ContinuousClock.now + .seconds(20)
                    while try await running.marksInKernel().isEmpty, .now < end {
                        try await Task.sleep(for: .milliseconds(5))
                    }
                    let second = group(running, in: directory, at: [address], information(running))
                    await #expect(throws: AgentError.isRunning(directory)) { try await second.run() }
                    await first.triggerGracefulShutdown()
                    try await tasks.waitForAll()
                }
            }
        }
    }
}
