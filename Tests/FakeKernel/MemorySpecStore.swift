package import MeshKit
import Netlink

/// Keeps a spec in memory, for tests.
package final class MemorySpecStore: SpecStore {
    private struct State {
        var spec: MeshSpec
        var operations = 0
    }

    private let state: Locked<State>
    private let beforeOperation: @Sendable (Int) throws -> Void

    /// A store that holds a spec.
    ///
    /// - Parameter beforeOperation: called with the number of the load or swap that begins, counted from 1. If it
    ///   throws, the operation fails with that error and has no effect.
    package init(_ spec: MeshSpec = MeshSpec(), beforeOperation: @escaping @Sendable (Int) throws -> Void = { _ in }) {
        state = Locked(State(spec: spec))
        self.beforeOperation = beforeOperation
    }

    /// The number of loads and swaps that have begun.
    package var operations: Int { state.withLock(\.operations) }

    private func begin() throws {
        let number = state.withLock { state in
            state.operations += 1
            return state.operations
        }
        try beforeOperation(number)
    }

    /// Loses the spec, as if its document were deleted.
    package func lose() { state.withLock { $0.spec = MeshSpec() } }

    /// The newest spec.
    package func load() async throws -> MeshSpec {
        try begin()
        return state.withLock(\.spec)
    }

    /// Replaces the spec, as ``SpecStore/swap(_:replacing:)`` describes.
    package func swap(_ spec: MeshSpec, replacing generation: UInt64) async throws {
        try begin()
        try state.withLock { state in
            guard state.spec.generation == generation else {
                throw StoreError(
                    code: .conflict,
                    description: "the spec is of generation \(state.spec.generation) by now, and not \(generation)")
            }
            state.spec = spec
            state.spec.generation = generation &+ 1
        }
    }
}
