import Netlink
package import SystemPackage

/// Excludes other commands on the same state by an advisory lock (flock) on a file in its folder. The kernel releases
/// the lock when the process ends, however it ends.
package enum FileLock {
    /// Runs the body while the lock is held. Readers take the lock in shared mode; without a folder there is nothing to
    /// exclude, and they take none. Writers take it in exclusive mode, which makes the folder.
    ///
    /// A process first locks another file, the queue, and keeps that lock until it has the real one. So while a writer
    /// waits for readers to end, new readers wait in the queue. Otherwise readers that overlap could keep the writer
    /// waiting for ever.
    ///
    /// - Parameter onWait: called once if other processes hold the lock for longer than a second.
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
        // A call that misses its deadline may still write to the kernel. The lock is held until such calls have ended,
        // too.
        let hold = Hold { withExtendedLifetime(lock) {} }
        return try await Hold.$current.withValue(hold) { try await body() }
    }
}
