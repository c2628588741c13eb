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
            as soon as the kernel tells that somebody else has changed something, and otherwise every two seconds. All other \
            commands work beside it as they do without it. SIGTERM and SIGINT end it; published ports go on to work.

            It logs to standard error what it does and why. --verbose also logs each pass.

            EXAMPLE
              meshctl agent
            """)

    @Flag(help: "Leave the containers of Docker and Podman to `meshctl task attach` and `task add`.")
    var noContainers = false

    @OptionGroup var engine: EngineArguments

    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard noContainers, engine.dockerSocket != nil else { return }
        throw ValidationError("--no-containers and --docker-socket exclude each other: leave one of them out.")
    }

    func run() async throws {
        let sources = noContainers ? [] : try engine.sources()
        let style = StandardErrorLog.Style.ofService(journal: try ProcessText.environment("JOURNAL_STREAM"))
        let level: Logger.Level = options.state.verbose ? .debug : .info
        let logger = Logger(label: "meshctl") { _ in StandardErrorLog(logLevel: level, style: style) }
        let mesh = try options.mesh(logger: logger) {
            logger.info("waiting for another meshctl that works on the same state")
        }
        let manager = ServiceManager(socket: try ProcessText.environment("NOTIFY_SOCKET"))
        let agent = try Agent(
            of: mesh, in: try options.ledger().directory, findingTasksBy: sources,
            probingBy: SocketProber(), logger: logger
        ) { event in
            manager?.tell(event)
        }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(
                        service: AgentService(agent: agent), successTerminationBehavior: .gracefullyShutdownGroup,
                        failureTerminationBehavior: .cancelGroup)
                ],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: Logger(label: "services") { _ in StandardErrorLog(logLevel: .warning, style: style) }))
        try await group.run()
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
