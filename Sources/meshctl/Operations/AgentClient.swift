import AgentAPI
import Containers
import MeshKit
import SystemPackage

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The agent that runs beside a command, and that the command lets do its work.
struct AgentClient {
    /// How long an agent may take to say who it is. One that is stuck is left alone.
    static let patience = Duration.seconds(2)

    /// What became of an operation.
    enum Answer {
        case done(Outcome)
        /// The agent was not asked to do it, or has not begun it, for this reason.
        case notAsked(String)
        /// Nobody listens at the socket, or not any more.
        case gone
    }

    let socket: FilePath

    /// The agent of a state folder; nil if there is no socket where it would answer.
    init?(of folder: FilePath) throws {
        socket = try AgentSocket.path(named: nil, in: folder)
        guard NamedFile(of: socket)?.isSocket == true else { return nil }
    }

    /// Lets the agent carry out an operation, if it would do so as the command.
    ///
    /// - Throws: `OperationFailure` if the operation failed, ``AgentUnreachable`` if nobody knows what became of it.
    func perform(_ operation: some Operation, for command: Asker) async throws -> Answer {
        let (path, request) = (type(of: operation).path, try operation.request)
        guard request.body.utf8.count <= OfferedChange.mostBytes else {
            return .notAsked("it takes no more than \(OfferedChange.mostBytes >> 20) MiB")
        }
        let client = EngineClient(socket)
        if let obstacle = await obstacle(client, command) { return obstacle }
        let answer: EngineClient.Answer?
        do throws(ContainerError) {
            answer = try await client.post(path + request.query, request.body)
        } catch {
            // Of what changes nothing it does not matter whether the agent had begun it.
            if operation.isDry { return .gone }
            throw AgentUnreachable.lost(socket)
        }
        guard let answer else { return .gone }
        return try read(answer)
    }

    /// Why the agent is not asked to do the work of a command; nil if it is.
    private func obstacle(_ client: EngineClient, _ command: Asker) async -> Answer? {
        do throws(ContainerError) {
            let answer = try await client.get("/v1/agent", within: Self.patience)
            return Self.obstacle(answer.status, answer.body, for: command).map(Answer.notAsked)
        } catch {
            if error.code == .unavailable { return .gone }
            return .notAsked("it has not said who it is within \(Self.patience.components.seconds) s")
        }
    }

    /// Why an agent that has answered who it is does not get the work of a command; nil if it does.
    static func obstacle(_ status: Int, _ body: [UInt8], for command: Asker) -> String? {
        guard status == 200, let identity = try? JSONDecoder().decode(AgentIdentity.self, from: Data(body)) else {
            return "it does not say who it is"
        }
        return identity.difference(from: command, in: command.stateFolderIdentity)?.description
    }

    private func read(_ answer: EngineClient.Answer) throws -> Answer {
        let body = Data(answer.body)
        if answer.status == 200, let outcome = try? JSONDecoder().decode(Outcome.self, from: body) {
            return .done(outcome)
        }
        guard answer.status != 200, let failure = try? JSONDecoder().decode(OperationFailure.self, from: body) else {
            throw AgentUnreachable.lost(socket)
        }
        // An agent that ends has not begun it.
        if answer.status == 503, failure.exitStatus == nil { return .notAsked(failure.error) }
        throw failure
    }
}
