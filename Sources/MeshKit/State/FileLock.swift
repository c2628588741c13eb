import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Holds off other commands on the same state: an advisory lock (flock) on a file beside it, which the kernel
/// gives up when the process ends, however it ends.
enum FileLock {
    enum Mode {
        /// For those who only read. Where there is no folder yet, there is nothing to hold off.
        case shared
        /// For those who write; makes the folder.
        case exclusive
    }

    /// Runs the body while the lock is held.
    ///
    /// - Parameter onWait: called once where another process holds the lock for longer than a second.
    static func hold<Result>(
        _ store: FileStore, _ mode: Mode, onWait: () -> Void, _ body: () async throws -> Result
    ) async throws -> Result {
        let path = store.directory.appending("lock")
        let descriptor: FileDescriptor
        do {
            if mode == .exclusive { try makeDirectory(store.directory) }
            descriptor = try FileDescriptor.open(
                path, .readOnly, options: mode == .exclusive ? [.create, .closeOnExec] : .closeOnExec,
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
        } catch let error {
            if mode == .shared, error as? Errno == .noSuchFileOrDirectory { return try await body() }
            throw store.inaccessible("lock", path, error)
        }
        defer { _ = Glibc.close(descriptor.rawValue) }

        // Asks again and again instead of blocking: a thread of Swift's pool is not ours to block.
        let operation = (mode == .exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB
        var waits = 0
        while flock(descriptor.rawValue, operation) != 0 {
            let error = Errno(rawValue: errno)
            guard error == .wouldBlock || error == .interrupted else { throw store.inaccessible("lock", path, error) }
            waits += 1
            if waits == 100 { onWait() }
            try await Task.sleep(for: .milliseconds(10))
        }
        return try await body()
    }

    private static func makeDirectory(_ directory: FilePath) throws(Errno) {
        if mkdir(directory.string, 0o755) == 0 || errno == EEXIST { return }
        let parent = directory.removingLastComponent()
        guard errno == ENOENT, !parent.isEmpty, parent != directory else { throw Errno(rawValue: errno) }
        try makeDirectory(parent)
        guard mkdir(directory.string, 0o755) == 0 || errno == EEXIST else { throw Errno(rawValue: errno) }
    }
}
