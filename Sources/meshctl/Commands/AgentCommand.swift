import AgentAPI
import ArgumentParser
import Containers
import HealthProbes
import Logging
import MeshKit
import ServiceLifecycle
import UnixSignals

struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent", abstract: "Keep the kernel as it should be, until it is stopped.",
        discussion: """
            The agent makes the changes that the kernel needs when it starts, when a command or an editor changes the mesh, \
            as soon as the kernel tells that somebody else has changed something, and otherwise every two seconds. Commands \
            that change something let it do so while it runs, with the same results as without it. SIGTERM and SIGINT end \
            it; published ports go on to work.

            It logs to standard error what it does and why. --verbose also logs each pass and operation. By HTTP at its socket \
            it answers what `meshctl events` prints, the documents of `status` and `plan`, and metrics for Prometheus, and \
            does what all commands do that change something; --metrics lets it answer the metrics at an address, too.

            EXAMPLE
              meshctl agent
              meshctl agent --metrics 127.0.0.1:9809
            """)

    @Flag(help: "Leave the containers of Docker and Podman to `meshctl task attach` and `task add`.")
    var noContainers = false

    @OptionGroup var engine: EngineArguments

    @OptionGroup var addresses: AgentAddresses
    @OptionGroup var options: AgentOptions

    func validate() throws {
        guard noContainers, engine.dockerSocket != nil else { return }
        throw ValidationError("--no-containers and --docker-socket exclude each other: leave one of them out.")
    }

    func run() async throws {
        Heap.share()
        let sources = noContainers ? [] : try engine.sources()
        let style = StandardErrorLog.Style.ofService(journal: try ProcessText.environment("JOURNAL_STREAM"))
        let level: Logger.Level = options.isVerbose ? .debug : .info
        let quiet = Logger(label: "services") { _ in StandardErrorLog(logLevel: .warning, style: style) }
        let meshes = try options.meshes(logger: quiet) {}
        let ledger = try options.ledger()
        let events = EventHub()
        let logger = Logger(label: "meshctl") { _ in
            MultiplexLogHandler([
                StandardErrorLog(logLevel: level, style: style),
                EventLog(to: events, level: level, time: UTCTime.now),
            ])
        }
        let information = try information(by: meshes, events, logger)
        let mesh = try options.mesh(logger: logger) {
            logger.info("waiting for another meshctl that works on the same state")
        }
        let manager = ServiceManager(socket: try ProcessText.environment("NOTIFY_SOCKET"))
        let servers = AgentServers(
            at: try addresses.all(in: ledger.directory), answering: information, logger: quiet
        ) { address in
            logger.info("the agent answers", metadata: ["address": "\(address)"])
        }
        let agent = try Agent(
            of: mesh, in: ledger.directory, findingTasksBy: sources, probingBy: SocketProber(),
            holdingPortsBy: PortHolder(), logger: logger
        ) { event in
            manager?.tell(event)
        } reporting: { report in
            switch report {
            case .begun: servers.begin()
            case .pass(let pass): information.add(pass)
            }
        }
        let services: [any Service] = [AgentService(agent: agent), servers]
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map {
                    .init(
                        service: $0, successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .cancelGroup)
                },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet))
        try await group.run()
    }

    /// What the agent's clients are told, and may change.
    private func information(
        by meshes: @escaping @Sendable () throws -> Mesh, _ events: EventHub, _ logger: Logger
    ) throws -> AgentInformation {
        let store = try options.store()
        let operations = try OfferedOperations(on: meshes, logger: logger)
        let work = MeshChanges.Work(operations.all) {
            try JSONText.encode(try await store.load().exported()).printableJSON
        } explaining: { error in
            OperationFailure(of: error)
        }
        return AgentInformation(
            events: events, identity: try identity(), observe: { try await meshes().observe() },
            status: { try StatusReport($0.view, $0.plan).document() },
            plan: {
                let (plan, warnings) = try await meshes().planAndWarnings()
                return try PlanReport(plan, plan.notes + warnings).document()
            }, changes: MeshChanges(work), logger: logger)
    }

    /// Makes the document of which agent this is.
    private func identity() throws -> @Sendable () throws -> String {
        let (ledger, asker) = (try options.ledger(), try options.asker())
        return {
            let node = try ledger.load()?.node ?? asker.node ?? Ledger.hostName()
            return try JSONText.encode(try AgentIdentity(of: asker, on: node)).printableJSON
        }
    }
}

/// The agent as a service, which ends when the program is asked to.
private struct AgentService: Service {
    let agent: Agent

    func run() async throws { try await cancelWhenGracefulShutdown { try await agent.run() } }
}

extension ServiceManager {
    fileprivate func tell(_ event: Agent.Event) {
        switch event {
        case .ready: tell("READY=1", "STATUS=The kernel holds what it should.")
        case .alive: tell("WATCHDOG=1")
        case .stopping: tell("STOPPING=1")
        }
    }
}
