/// Keeps the ``MeshSpec`` that all nodes follow.
///
/// Nobody locks a store: whoever writes says which generation they have read, and is told where somebody was faster.
public protocol SpecStore: Sendable {
    /// The newest spec; an empty one where none was ever saved.
    ///
    /// - Throws: ``StoreError``, or what else the store fails with.
    func load() async throws -> MeshSpec

    /// Replaces the spec, whole or not at all. The generation of what is stored is one more than the replaced one,
    /// whatever the given spec has.
    ///
    /// - Parameter generation: that of the spec which the new one was made from; 0 where none was ever saved.
    /// - Throws: ``StoreError`` with the code `conflict` where another generation is the newest by now; with `corrupt` or
    ///   `newerSchema` where what is stored cannot be read, which is then kept.
    func swap(_ spec: MeshSpec, replacing generation: UInt64) async throws

    /// The spec as it is, and the newest one after each change. Who reads slowly misses some in between, never the newest.
    ///
    /// What cannot be read is waited out. The stream ends with the task that reads it.
    func changes() -> AsyncStream<MeshSpec>
}
