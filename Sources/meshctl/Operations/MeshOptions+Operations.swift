import AgentAPI
import MeshKit

extension MeshOptions {
    /// Carries out an operation and prints all that there is to print.
    ///
    /// - Parameter waiting: whether to wait for the drain of the tasks that the operation is about.
    func carryOut(_ operation: some Operation, waiting: Waiting? = nil) async throws {
        let outcome = try await perform(operation, listing: state.verbose)
        try await waiting?.wait(for: outcome, self)
        try outcome.print()
    }

    /// Carries out an operation, and prints on standard error what there is to know of it.
    ///
    /// - Parameter listing: whether the changes to the kernel are printed, too.
    /// - Throws: `OperationFailure` if it fails.
    func perform(_ operation: some Operation, listing: Bool) async throws -> Outcome {
        let outcome = try await carryOutHere(operation)
        for line in outcome.messages(listing: listing) { StandardError.write(line) }
        return outcome
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
