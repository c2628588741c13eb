public import Logging
public import ServiceLifecycle

/// The servers of an agent, which listen once it has begun: if another agent works on the same state, that is what is
/// wrong, and not that its socket is in use.
public struct AgentServers: Service {
    private let servers: [AgentServer]
    private let changes: MeshChanges
    private let beginnings: AsyncStream<Void>
    private let beginning: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - addresses: where to listen.
    ///   - information: what is answered.
    ///   - logger: gets what the servers cannot tell their clients.
    ///   - isListening: called once a server listens.
    public init(
        at addresses: [AgentServer.Address], answering information: AgentInformation, logger: Logger,
        isListening: @escaping @Sendable (AgentServer.Address) -> Void = { _ in }
    ) {
        servers = addresses.map {
            AgentServer(at: $0, answering: information, logger: logger, isListening: isListening)
        }
        changes = information.changes
        (beginnings, beginning) = AsyncStream.makeStream()
    }

    /// Lets the servers listen.
    public func begin() { beginning.yield() }

    /// Answers until the task is cancelled or the service group shuts down, or until a server fails. Then it also waits
    /// for a change that has begun.
    ///
    /// - Throws: ``AgentServerError`` if nothing can listen at an address.
    public func run() async throws {
        let hasBegun = await cancelWhenGracefulShutdown { [beginnings] in await beginnings.first { _ in true } != nil }
        guard hasBegun else { return }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for server in servers { group.addTask { try await server.run() } }
                // Not `waitForAll`, which would wait for the other servers before it throws.
                while try await group.next() != nil {}
            }
        } catch {
            await changes.end()
            throw error
        }
        await changes.end()
        // A service that ends would end the agent.
        if servers.isEmpty { try? await gracefulShutdown() }
    }
}
