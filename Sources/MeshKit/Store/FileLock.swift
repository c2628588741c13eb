import Netlink
package import SystemPackage

/// Holds off other commands on the same state: an advisory lock (flock) on a file beside it, which the kernel
/// gives up when the process ends, however it ends.
package enum FileLock {
    /// Runs the body while the lock is held: shared by those who only read, and where there is no folder yet, there is
    /// nothing to hold off; exclusive for those who write, which makes the folder.
    ///
    /// Whoever wants the lock first takes that of another file, the queue, and keeps it until the lock is theirs. So a
    /// writer who waits for readers to end keeps more of them from beginning: readers that overlap would keep it waiting
    /// for ever.
    ///
    /// - Parameter onWait: called once where other processes hold the lock for longer than a second.
    package static func hold<Result>(
        _ directory: FilePath, _ mode: LockFile.Mode, onWait: () -> Void, _ body: () async throws -> Result
    ) async throws -> Result {
        let path = directory.appending("lock")
        var waits = 0
        let wait = {
            waits += 1
            if waits == 100 { onWait() }
            try await Task.sleep(for: .milliseconds(10))
        }
        let lock: LockFile?
        do {
            if mode == .exclusive { try directory.makeDirectory() }
            let place = try await LockFile.acquire(directory.appending("lock-queue"), mode, wait: wait)
            lock = try await LockFile.acquire(path, mode, wait: wait)
            withExtendedLifetime(place) {}
        } catch let error as Errno {
            throw StoreError(cannot: "lock", path, error)
        }
        // What misses its deadline may still write to the kernel: the lock is held until that has ended, too.
        let hold = Hold { withExtendedLifetime(lock) {} }
        return try await Hold.$current.withValue(hold) { try await body() }
    }
}
