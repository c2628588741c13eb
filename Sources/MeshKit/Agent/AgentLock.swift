import SystemPackage

/// Lets one agent work on a state folder. The kernel releases the lock when the process ends, however it ends. It is
/// another lock than that of a pass, which the agent holds only while a pass runs.
struct AgentLock: Sendable {
    private let file: LockFile?

    /// Makes the folder if it does not exist.
    ///
    /// - Throws: ``AgentError/isRunning(_:)`` if another agent has the lock.
    init(in directory: FilePath) async throws {
        let path = Self.path(in: directory)
        // A command that looks whether there is an agent has the lock for a moment.
        let end = ContinuousClock.now + .milliseconds(100)
        do {
            try directory.makeDirectory()
            file = try await LockFile.acquire(path, .exclusive) {
                guard ContinuousClock.now < end else { throw AgentError.isRunning(directory) }
                try await Task.sleep(for: .milliseconds(5))
            }
        } catch let error as Errno {
            throw StoreError(cannot: "lock", path, error)
        }
    }

    /// Whether an agent works on a state folder. False if that cannot be told.
    static func isHeld(in directory: FilePath) async -> Bool {
        do {
            _ = try await LockFile.acquire(path(in: directory), .shared) { throw AgentError.isRunning(directory) }
            return false
        } catch {
            return error is AgentError
        }
    }

    private static func path(in directory: FilePath) -> FilePath { directory.appending("agent.lock") }
}
