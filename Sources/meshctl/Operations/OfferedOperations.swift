import AgentAPI
import Logging
import MeshKit

/// The operations as the agent offers them to its clients.
struct OfferedOperations: Sendable {
    /// The mesh that they change. They keep it, since its kernel need not read rules again that have not changed.
    private let mesh: Mesh
    /// Makes values of the same mesh, for operations that change nothing and wait for nobody.
    private let meshes: @Sendable () throws -> Mesh
    private let logger: Logger

    /// - Parameters:
    ///   - meshes: makes values of the mesh.
    ///   - logger: gets a line for each change to the kernel.
    init(on meshes: @escaping @Sendable () throws -> Mesh, logger: Logger) throws {
        mesh = try meshes()
        self.meshes = meshes
        self.logger = logger
    }

    var all: [OfferedChange] { Operations.all.map { offered($0) } }

    private func offered<Made: Operation>(_: Made.Type) -> OfferedChange {
        OfferedChange(at: Made.path, Made.parameters, hasBody: Made.hasBody) { request in
            let operation = try Made(request)
            return OfferedChange.Prepared(isDry: operation.isDry) {
                if operation.isDry { return try await operation.perform(on: meshes()).document() }
                let outcome = try await perform(operation)
                return try outcome.document()
            }
        }
    }

    private func perform(_ operation: some Operation) async throws -> Outcome {
        // Whatever is open in a place keeps a namespace alive that its owner ends meanwhile.
        defer { mesh.rest() }
        do {
            let outcome = try await operation.perform(on: mesh)
            logger.log(outcome.diary(of: type(of: operation).name))
            return outcome
        } catch {
            // A mistake is the client's to know of.
            if !(error is InputError), !Task.isCancelled {
                logger.log([PassDiary.Line(.warning, "\(error)", ["cause": type(of: operation).name])])
            }
            throw error
        }
    }
}

extension Outcome {
    /// What the agent logs of the operation. What stays or is left undone, the pass after it logs.
    ///
    /// - Parameter name: the operation's name.
    func diary(of name: String) -> [PassDiary.Line] {
        changes.map { change in
            PassDiary.Line(
                change.action, of: change.part, in: change.place, because: change.reasons, cause: name)
        } + [PassDiary.Line(.debug, "operation", ["cause": name, "steps": "\(changes.count)"])]
    }
}
