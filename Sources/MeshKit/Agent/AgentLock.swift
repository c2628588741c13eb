import SystemPackage

/// Lets one agent work on a state folder. The kernel releases the lock when the process ends, however it ends. It is
/// another lock than that of a pass, which the agent holds only while a pass runs.
struct AgentLock: Sendable {
    private let file: LockFile?

    /// Makes the folder if it does not exist.
    ///
    /// - Throws: ``AgentError/isRunning(_:)`` if another agent has the lock.
    init(in directory: FilePath) async throws {
        let path = directory.appending("agent.lock")
        do {
            try directory.makeDirectory()
            file = try await LockFile.acquire(path, .exclusive) { throw AgentError.isRunning(directory) }
        } catch let error as Errno {
            throw StoreError(cannot: "lock", path, error)
        }
    }
}
