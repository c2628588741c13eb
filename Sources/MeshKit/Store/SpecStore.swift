/// Keeps the ``MeshSpec`` that all nodes follow.
///
/// A store has no lock for its users. A writer names the generation that it has read, and gets an error if another
/// writer was faster.
public protocol SpecStore: Sendable {
    /// The newest spec; an empty spec if none was ever saved.
    ///
    /// - Throws: ``StoreError``, or any other error of the store.
    func load() async throws -> MeshSpec

    /// Replaces the spec as a whole or not at all. The stored generation becomes one more than the replaced one,
    /// whatever the given spec says.
    ///
    /// - Parameter generation: the generation of the spec from which the new one was made; 0 if none was ever saved.
    /// - Throws: ``StoreError`` with the code `conflict` if another generation is stored by now; with `corrupt` or
    ///   `newerSchema` if the stored document cannot be read. The stored document is then kept.
    func swap(_ spec: MeshSpec, replacing generation: UInt64) async throws
}
