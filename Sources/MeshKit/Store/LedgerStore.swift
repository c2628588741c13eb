package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Keeps a node's ``Ledger``, and excludes others while a pass works on it. ``LedgerFile`` keeps it in a file; tests
/// keep it in memory.
package protocol LedgerStore: Sendable {
    /// The name of the ledger in messages.
    var file: FilePath { get }
    /// The folder of the ledger, as the rules in the kernel name it.
    var folder: String { get }
    /// The ledger; nil if none was ever saved.
    func load() throws(StoreError) -> Ledger?
    /// Replaces the ledger as a whole or not at all, if the stored one has the given generation. The stored generation
    /// becomes one more.
    func save(_ ledger: Ledger, replacing generation: UInt64) throws(StoreError)
    /// Runs the body under the lock. A writer excludes all others; a reader excludes writers.
    func locked<Result: Sendable>(
        _ mode: LockFile.Mode, onWait: () -> Void, _ body: () async throws -> Result
    ) async throws -> Result
}

extension LedgerFile: LedgerStore {
    package var folder: String { Self.resolved(directory.string) }

    /// The path without symbolic links and dots, so that one folder has one name; the path itself if it cannot be
    /// resolved.
    private static func resolved(_ path: String) -> String {
        guard let real = realpath(path, nil) else { return path }
        defer { free(real) }
        return String(cString: real)
    }

    package func locked<Result: Sendable>(
        _ mode: LockFile.Mode, onWait: () -> Void, _ body: () async throws -> Result
    ) async throws -> Result {
        try await FileLock.hold(directory, mode, onWait: onWait, body)
    }
}
