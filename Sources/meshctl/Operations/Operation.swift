import AgentAPI
import MeshKit

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A change of the mesh with all that was asked for, already read and checked. A command makes one of its arguments; then
/// this process or the agent carries it out, and either gives the same outcome.
protocol Operation: Sendable {
    /// Where clients of the agent ask for it, which mirrors the command: `/v1/task/attach`.
    static var path: String { get }
    /// What the query of a request may say.
    static var parameters: ChangeRequest.Parameters { get }
    /// Whether a request has a body.
    static var hasBody: Bool { get }
    /// Whether nothing is changed, and what would change is told.
    var isDry: Bool { get }
    /// The services to which it gives a health check, which an agent carries out, and nobody without one.
    var checkedServices: [String] { get }
    /// The request by which a client asks for it.
    var request: ChangeRequest { get throws }
    /// Reads a request.
    ///
    /// - Throws: `InputError` with what is wrong.
    init(_ request: ChangeRequest) throws
    /// Makes the change.
    func perform(on mesh: Mesh) async throws -> Outcome
}

extension Operation {
    var isDry: Bool { false }
    var checkedServices: [String] { [] }

    /// The words of the command, for the log: `task attach`.
    static var name: String { path.split(separator: "/").dropFirst().joined(separator: " ") }
}

/// An operation that is a JSON object in the body of a request.
///
/// The fields bear the names that mesh files and docs/json.md have for the same things. What is left out is as the command
/// has it by default, and unknown fields are refused, since what they ask for would be left undone.
protocol JSONOperation: Operation, Codable {}

extension JSONOperation {
    static var parameters: ChangeRequest.Parameters { ChangeRequest.Parameters() }
    static var hasBody: Bool { true }

    init(_ request: ChangeRequest) throws {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(request.body.utf8))
        } catch is DecodingError {
            throw InputError("the request's body is no JSON object")
        }
    }

    var request: ChangeRequest {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return ChangeRequest(body: String(decoding: try encoder.encode(self), as: UTF8.self))
        }
    }
}

/// All operations that the agent offers.
enum Operations {
    static let all: [any Operation.Type] = [
        PublishPorts.self, UnpublishPorts.self, CreateService.self, SetService.self, RemoveService.self, AddTask.self,
        RemoveTask.self, AttachTask.self, DetachTasks.self, DrainTasks.self, UndrainTasks.self, CreateNetwork.self,
        ConnectServices.self, DisconnectServices.self, RemoveNetwork.self, AddNode.self, RemoveNode.self,
        ReconcileKernel.self, ApplyFile.self, ResetMesh.self,
    ]
}
