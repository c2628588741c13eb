import FakeKernel
import IPVSKit
import Logging
import MeshKit
import Netlink
import RuleKit
import SystemPackage
import TestSupport
import Testing

@testable import AgentAPI
@testable import meshctl

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Commands that let the agent do their work.
@Suite(.serialized, .timeLimit(.minutes(2))) struct AgentClientTests {
    private static func command(in folder: FilePath) -> Asker {
        Asker(version: "1", networkNamespace: .networkNamespace, stateFolder: folder, node: nil, rules: .auto)
    }

    /// Runs the body beside an agent on a fake node.
    ///
    /// - Returns: what the agent has logged.
    @discardableResult
    private func withAgent(
        on node: FakeNode, _ body: (AgentClient, Asker) async throws -> Void
    ) async throws -> [String] {
        let lines = Locked<[String]>([])
        let logger = Logger(label: "test") { _ in Lines(lines: lines) }
        let offered = try OfferedOperations(on: { node.mesh() }, logger: logger)
        let work = MeshChanges.Work(offered.all, export: { "{}" }) { OperationFailure(of: $0) }
        try await TemporaryDirectory.with { folder in
            let command = Self.command(in: folder)
            let identity: @Sendable () throws -> String = {
                try JSONText.encode(try AgentIdentity(of: command, on: "node1"))
            }
            let address = AgentServer.Address.socket(folder.appending("agent.sock"))
            try await ServerUnderTest.with(at: address, identity: identity, work: work) { _ in
                try await body(try #require(try AgentClient(of: folder)), command)
            }
        }
        return lines.withLock(\.self)
    }

    private struct Lines: LogHandler {
        let lines: Locked<[String]>
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            let fields = (event.metadata ?? [:]).mapValues { "\($0)" }
            lines.withLock { $0.append("\(event.level) \(LogLine.text("\(event.message)", fields))") }
        }
    }

    // MARK: What the agent does

    private static let operations: [any Operation] = [
        AddTask(service: "web", address: "10.0.0.11"), AddTask(service: "web", address: "10.0.0.12", weight: 2),
        PublishPorts(ports: [PublishText(1080, 80), PublishText(1443, 443)], service: "web", force: true),
        PublishPorts(ports: [PublishText(1080, 80)], service: "web", force: true),
        try! SetService(
            service: "web", options: PublishOptions(scheduler: .weightedRoundRobin, slowStartSeconds: 30), isDry: true),
        try! SetService(service: "web", options: PublishOptions(scheduler: .weightedRoundRobin, slowStartSeconds: 30)),
        AddTask(service: "web", address: "10.0.0.13"), DrainTasks(service: "web", which: .address("10.0.0.11")),
        AddTask(service: "web", address: "10.0.0.11", weight: 3),
        UndrainTasks(service: "web", which: .address("10.0.0.11")), RemoveTask(service: "web", address: "10.0.0.12"),
        CreateService(service: "db"), CreateService(service: "db", isDry: true), RemoveService(service: "db"),
        RemoveService(service: "db"), UnpublishPorts(ports: [PortBinding(1443, .tcp)]),
        UnpublishPorts(ports: [PortBinding(1443, .tcp)]), DetachTasks(service: "web", which: .node("elsewhere")),
        try! ApplyFile(text: "services: {web: {ports: ['2080:80']}}", name: "a b.yaml", isDry: true),
        try! ApplyFile(text: "services: {web: {ports: ['2080:80']}}", name: "a b.yaml"),
        try! ApplyFile(text: "services: {db: {ports: ['2080:80']}}", name: "a b.yaml"),
        ReconcileKernel(), RemoveNetwork(network: "back"), RemoveNode(node: "node9"), ResetMesh(), ResetMesh(),
    ]

    /// All that a command prints, and how it ends.
    private func printed(_ perform: () async throws -> Outcome) async throws -> String {
        do {
            let outcome = try await perform()
            return "\(outcome.changed)\n\(outcome.messages(listing: true))\n\(outcome.output)\n\(outcome.tasks)"
        } catch {
            let failure = try #require(Failure(error))
            return "\(failure.status) \(failure.lines)"
        }
    }

    /// Whoever does the work, it is the same, and so is every line that is printed of it.
    @Test func theAgentDoesWhatTheCommandDoes() async throws {
        let (near, far) = (FakeNode(), FakeNode())
        let log = try await withAgent(on: far) { agent, command in
            for operation in Self.operations {
                let here = try await printed {
                    do {
                        return try await operation.perform(on: near.mesh())
                    } catch {
                        throw OperationFailure(of: error)
                    }
                }
                let there = try await printed {
                    guard case .done(let outcome) = try await agent.perform(operation, for: command) else {
                        throw AgentServerError("the agent was not asked")
                    }
                    return outcome
                }
                #expect(there == here, "\(operation)")
            }
        }
        #expect(try await near.kernelText() == far.kernelText())
        let spec = try await near.specs.load()
        #expect(try await far.specs.load() == spec)
        #expect(
            log.contains { $0.hasPrefix("info ") && $0.contains("10.0.0.11") && $0.contains(" cause=publish ") },
            "\(log)")
        #expect(log.contains { $0.contains(" cause=\"task rm\" ") }, "\(log)")
        #expect(!log.contains { $0.hasPrefix("warning") }, "a mistake is the client's to know of")
    }

    /// What the kernel refuses is said in the same words, with the same status.
    @Test func aRefusalOfTheKernelIsTheSame() async throws {
        let (near, far) = (FakeNode(), FakeNode())
        for node in [near, far] {
            _ = try await AddTask(service: "web", address: "10.0.0.11").perform(on: node.mesh())
            node.gate.refuse("IPVS: command")
        }
        let operation = PublishPorts(ports: [PublishText(1080, 80)], service: "web", force: true)
        let here = try await printed { try await operation.perform(on: near.mesh()) }
        let log = try await withAgent(on: far) { agent, command in
            let there = try await printed {
                guard case .done(let outcome) = try await agent.perform(operation, for: command) else {
                    throw AgentServerError("the agent was not asked")
                }
                return outcome
            }
            #expect(there == here)
        }
        #expect(log.contains { $0.hasPrefix("warning ") && $0.contains("cause=publish") }, "\(log)")
    }

    // MARK: Whether the agent is asked

    private func identity(
        version: String = "1", namespace: UInt64 = 4, folder: UInt64 = 8, node: String = "node1",
        rules: StateOptions.Rules = .auto
    ) -> AgentIdentity {
        AgentIdentity(
            version: version, pid: 7, networkNamespace: FileIdentity(device: 1, inode: namespace),
            stateFolder: FileIdentity(device: 2, inode: folder), node: node, rules: rules)
    }

    @Test func onlyAnAgentThatWouldDoTheSameIsAsked() {
        func difference(
            _ agent: AgentIdentity, node: String? = nil, rules: StateOptions.Rules = .auto
        ) -> AgentIdentity.Difference? {
            let command = Asker(
                version: "1", networkNamespace: FileIdentity(device: 1, inode: 4), stateFolder: "/state", node: node,
                rules: rules)
            return agent.difference(from: command, in: FileIdentity(device: 2, inode: 8))
        }
        #expect(difference(identity()) == nil)
        #expect(difference(identity(version: "2")) == .version("2"))
        #expect(difference(identity(namespace: 5)) == .networkNamespace)
        #expect(difference(identity(folder: 9)) == .stateFolder)
        #expect(identity().difference(from: Self.command(in: "/nonexistent"), in: nil) != nil)
        // A command that was told nothing takes what the agent was told.
        #expect(difference(identity(node: "node2", rules: .iptables)) == nil)
        #expect(difference(identity(), node: "node1") == nil)
        #expect(difference(identity(node: "node2"), node: "node1") == .node("node2"))
        #expect(difference(identity(rules: .iptables), rules: .iptables) == nil)
        #expect(difference(identity(rules: .iptables), rules: .nftables) == .rules(.iptables))
        #expect(difference(identity(), rules: .nftables) == .rules(.auto))
    }

    @Test func whatSaysNotWhoItIsIsNotAsked() throws {
        let command = Self.command(in: "/")
        let here = try JSONText.encode(AgentIdentity(of: command, on: "node1"))
        #expect(AgentClient.obstacle(200, Array(here.utf8), for: command) == nil)
        #expect(AgentClient.obstacle(404, Array(here.utf8), for: command) == "it does not say who it is")
        #expect(AgentClient.obstacle(200, Array("{}".utf8), for: command) == "it does not say who it is")
        let other = here.replacing(#""version" : "1""#, with: #""version" : "2""#)
        #expect(AgentClient.obstacle(200, Array(other.utf8), for: command) == "it has the version 2")
    }

    /// Runs the body with a client of something that says it is this command's agent.
    private func withFake(
        replying reply: @escaping @Sendable () -> FakeEngine.Reply, saying: FakeEngine.Reply? = nil,
        _ body: (AgentClient, Asker, FakeEngine) async throws -> Void
    ) async throws {
        try await TemporaryDirectory.with { folder in
            let command = Self.command(in: folder)
            let identity = try JSONText.encode(AgentIdentity(of: command, on: "node1"))
            try await FakeEngine.with(
                in: folder, named: "agent.sock",
                reply: { $0.hasPrefix("GET /v1/agent ") ? saying ?? .json(identity) : reply() }
            ) { try await body(try #require(try AgentClient(of: folder)), command, $0) }
        }
    }

    /// Once it was asked to do something, nobody else does it, whatever becomes of the answer.
    @Test(arguments: ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"])
    func aConnectionThatBreaksIsNoReasonToDoItAgain(answer: String) async throws {
        try await withFake(replying: { .text(answer) }) { agent, command, engine in
            let error = await #expect(throws: AgentUnreachable.self) {
                try await agent.perform(ResetMesh(), for: command)
            }
            #expect(error?.status == .failed && error?.description.contains("ended before it answered") == true)
            #expect(engine.requests == ["GET /v1/agent HTTP/1.1", "POST /v1/reset HTTP/1.1"])
        }
    }

    @Test func whatTheAgentAnswersIsBelieved() async throws {
        let busy = #"{"error":"nothing was changed within 60 s","exitStatus":1}"#
        try await withFake(replying: { .json(busy, status: "503 Service Unavailable") }) { agent, command, _ in
            let error = await #expect(throws: OperationFailure.self) {
                try await agent.perform(ReconcileKernel(now: true), for: command)
            }
            #expect(error?.error == "nothing was changed within 60 s" && error?.exitStatus == 1)
        }
        let ending = #"{"error":"the agent ends"}"#
        try await withFake(replying: { .json(ending, status: "503 Service Unavailable") }) { agent, command, engine in
            guard case .notAsked("the agent ends") = try await agent.perform(ReconcileKernel(now: true), for: command)
            else {
                Issue.record("a command does itself what an agent that ends has not begun")
                return
            }
            #expect(engine.requests.last == "POST /v1/reconcile?now=true HTTP/1.1")
        }
        let faults = #"{"error":"a\nb","exitStatus":65,"faults":["a","b"]}"#
        try await withFake(replying: { .json(faults, status: "400 Bad Request") }) { agent, command, _ in
            let error = await #expect(throws: OperationFailure.self) {
                try await agent.perform(ResetMesh(), for: command)
            }
            let failure = error.flatMap { Failure($0) }
            #expect(failure?.status == .badInput && failure?.lines == ["a", "b"])
        }
    }

    /// Nothing is asked of an agent that is stuck, or of whatever else listens.
    @Test func anAgentThatDoesNotSayWhoItIsIsLeftAlone() async throws {
        for reply: FakeEngine.Reply in [.silence, .json("{}"), .json("{}", status: "404 Not Found"), .text("x")] {
            try await withFake(replying: { .json("{}") }, saying: reply) { agent, command, engine in
                let start = ContinuousClock.now
                guard case .notAsked = try await agent.perform(ResetMesh(), for: command) else {
                    Issue.record("\(reply)")
                    return
                }
                #expect(ContinuousClock.now - start < .seconds(20))
                #expect(engine.requests == ["GET /v1/agent HTTP/1.1"])
            }
        }
    }

    @Test func withoutASocketNobodyIsAsked() async throws {
        try await TemporaryDirectory.with { folder in
            #expect(try AgentClient(of: folder) == nil)
            let path = folder.appending("agent.sock")
            try path.write("no socket")
            #expect(try AgentClient(of: folder) == nil)
            try await Shell.check("rm", path.string)
            // The socket of a process that was killed.
            try await FakeEngine.with(in: folder, named: "agent.sock", reply: { _ in .silence }) { _ in }
            let agent = try #require(try AgentClient(of: folder))
            guard case .gone = try await agent.perform(ResetMesh(), for: Self.command(in: folder)) else {
                Issue.record("nobody listens")
                return
            }
        }
    }

    /// Without an agent, nobody carries a health check out.
    @Test func whoGivesAHealthCheckIsToldThatNobodyProbes() throws {
        let check = PublishOptions(healthCheck: .some(HealthCheck(.tcp)))
        let off = PublishOptions(healthCheck: .some(nil))
        func warning(_ operation: some Operation) -> String? { operation.warning(withoutAgentAt: "/run/a.sock") }
        let words =
            "no agent answers at /run/a.sock, so nobody probes the tasks of web until one runs (`systemctl start meshctl`)"
        #expect(warning(CreateService(service: "web", options: check)) == words)
        #expect(try warning(SetService(service: "web", options: check)) == words)
        let port = try PublishText("1080:80")
        #expect(warning(PublishPorts(ports: [port], service: "web", options: check)) == words)
        let text = "services: {web: {health: tcp}, db: {health: off}, shop: {}}"
        #expect(try warning(ApplyFile(text: text, name: "a.yaml")) == words)
        #expect(try warning(ApplyFile(text: text, name: "a.yaml", isDry: true)) == nil)
        #expect(warning(CreateService(service: "web", options: check, isDry: true)) == nil)
        #expect(try warning(SetService(service: "web", options: off)) == nil)
        #expect(warning(PublishPorts(ports: [port], service: "web")) == nil)
        #expect(warning(AddTask(service: "web", address: "10.0.0.11")) == nil)
    }

    @Test func whatIsTooLongForTheAgentIsDoneHere() async throws {
        let long = RemoveService(service: String(repeating: "x", count: OfferedChange.mostBytes))
        try await withFake(replying: { .json("{}") }) { agent, command, engine in
            guard case .notAsked("it takes no more than 16 MiB") = try await agent.perform(long, for: command) else {
                Issue.record("it was asked")
                return
            }
            #expect(engine.requests == [])
        }
    }
}
