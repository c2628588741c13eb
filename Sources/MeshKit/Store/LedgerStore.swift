package import SystemPackage

/// Keeps a node's ``Ledger``, and holds off others while a pass works on it. The one there is keeps a file
/// (``LedgerFile``); tests have one in memory.
package protocol LedgerStore: Sendable {
    /// What messages call it.
    var file: FilePath { get }
    /// The ledger; nil where none was ever saved.
    func load() throws(StoreError) -> Ledger?
    /// Replaces the ledger, whole or not at all, where the one that is stored has the generation. What is stored has one
    /// more.
    func save(_ ledger: Ledger, replacing generation: UInt64) throws(StoreError)
    /// Runs the body while others are held off: who writes holds off all, who reads those who write.
    func locked<Result: Sendable>(
        _ mode: LockFile.Mode, onWait: () -> Void, _ body: () async throws -> Result
    ) async throws -> Result
}

extension LedgerFile: LedgerStore {
    package func locked<Result: Sendable>(
        _ mode: LockFile.Mode, onWait: () -> Void, _ body: () async throws -> Result
    ) async throws -> Result {
        try await FileLock.hold(directory, mode, onWait: onWait, body)
    }
}
