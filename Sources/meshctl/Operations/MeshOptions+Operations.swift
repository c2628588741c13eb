import AgentAPI
import MeshKit

extension MeshOptions {
    /// Carries out an operation and prints all that there is to print.
    ///
    /// - Parameter waiting: whether to wait for the drain of the tasks that the operation is about.
    func carryOut(_ operation: some Operation, waiting: Waiting? = nil) async throws {
        let outcome = try await perform(operation, listing: isVerbose)
        try await waiting?.wait(for: outcome, self)
        try outcome.print()
    }

    /// Carries out an operation, and prints on standard error what there is to know of it.
    ///
    /// - Parameter listing: whether the changes to the kernel are printed, too.
    /// - Throws: `OperationFailure` if it fails.
    func perform(_ operation: some Operation, listing: Bool) async throws -> Outcome {
        let command = try asker()
        // The agent's socket lets nobody else in, either.
        try NotPermitted.check()
        let outcome: Outcome
        switch try await askAgent(operation, for: command) {
        case .done(let done): outcome = done
        case .notAsked: outcome = try await carryOutHere(operation)
        case .gone:
            var done = try await carryOutHere(operation)
            let socket = try AgentSocket.path(named: nil, in: command.stateFolder)
            if let warning = operation.warning(withoutAgentAt: socket) { done.warnings.append(warning) }
            outcome = done
        }
        for line in outcome.messages(listing: listing) { StandardError.write(line) }
        return outcome
    }

    /// Lets the agent carry out an operation, if there is one.
    private func askAgent(_ operation: some Operation, for command: Asker) async throws -> AgentClient.Answer {
        guard let agent = try AgentClient(of: command.stateFolder) else { return .gone }
        let answer = try await agent.perform(operation, for: command)
        let reason: String
        switch answer {
        case .done: return answer
        case .notAsked(let obstacle): reason = obstacle
        case .gone: reason = "it has ended"
        }
        if isVerbose { StandardError.write("the agent at \(agent.socket) is not asked: \(reason)") }
        return answer
    }

    private func carryOutHere(_ operation: some Operation) async throws -> Outcome {
        let mesh = try mesh()
        do {
            return try await operation.perform(on: mesh)
        } catch {
            throw OperationFailure(of: error)
        }
    }
}
