import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A file that exists to be locked (flock) and that only its owner can open. Whoever can open a file, even for reading,
/// can lock it and never let go.
package final class LockFile: Sendable {
    package enum Mode {
        /// The lock of readers, for whom the file is not made.
        case shared
        case exclusive
    }

    private let descriptor: FileDescriptor
    private let status: stat

    private init(_ descriptor: FileDescriptor, _ status: stat) {
        self.descriptor = descriptor
        self.status = status
    }

    deinit { _ = Glibc.close(descriptor.rawValue) }

    /// How long a lock is respected on a file that others can open. An earlier version of this program made such files
    /// and may be in the middle of a change; anybody else may hold the lock for ever.
    static let patience = Duration.seconds(3)

    /// Opens the file and locks it.
    ///
    /// - Parameter wait: called between two attempts.
    /// - Returns: nil if the file does not exist and the mode does not make it.
    static func acquire(
        _ path: FilePath, _ mode: Mode, wait: () async throws -> Void
    ) async throws -> LockFile? {
        while true {
            guard let file = try open(path, mode) else { return nil }
            if try file.isPrivate(in: path.removingLastComponent()) {
                while try !file.lock(mode) { try await wait() }
                // Somebody may have replaced the file before it was locked.
                if file.isAt(path) { return file }
            } else {
                let end = ContinuousClock.now + patience
                while try !file.lock(.exclusive), ContinuousClock.now < end { try await wait() }
                try await replace(file, at: path, wait: wait)
            }
        }
    }

    /// Replaces a file that others can open by one that only its owner can open.
    ///
    /// Changing the permissions would not affect processes that have the file open. The new file is made under another
    /// name and locked there. Of several processes that do this, one at a time checks whether the file still has to be
    /// replaced, and replaces it.
    private static func replace(
        _ old: LockFile, at path: FilePath, wait: () async throws -> Void
    ) async throws {
        let newPath = FilePath(path.string + ".new")
        guard let new = try open(newPath, .exclusive) else { return }
        guard try new.isPrivate(in: path.removingLastComponent()) else {
            _ = newPath.withPlatformString { unlink($0) }
            return
        }
        while try !new.lock(.exclusive) { try await wait() }
        guard new.isAt(newPath) else { return }
        if old.isAt(path) {
            let result = newPath.withPlatformString { from in path.withPlatformString { rename(from, $0) } }
            guard result == 0 else { throw Errno(rawValue: errno) }
        } else {
            _ = newPath.withPlatformString { unlink($0) }
        }
    }

    private static func open(_ path: FilePath, _ mode: Mode) throws(Errno) -> LockFile? {
        let flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (mode == .exclusive ? O_CREAT : 0)
        let descriptor = path.withPlatformString { Glibc.open($0, flags, 0o600) }
        guard descriptor >= 0 else {
            if mode == .shared, errno == ENOENT { return nil }
            throw Errno(rawValue: errno)
        }
        var status = stat()
        fstat(descriptor, &status)
        return LockFile(FileDescriptor(rawValue: descriptor), status)
    }

    /// Whether only the owner can open the file, and the owner is root, the caller or the owner of the folder.
    private func isPrivate(in folder: FilePath) throws(Errno) -> Bool {
        var owner = stat()
        guard folder.withPlatformString({ stat($0, &owner) }) == 0 else { throw Errno(rawValue: errno) }
        return status.st_mode & 0o077 == 0 && [owner.st_uid, geteuid(), 0].contains(status.st_uid)
    }

    private func isAt(_ path: FilePath) -> Bool {
        var there = stat()
        return path.withPlatformString { lstat($0, &there) } == 0
            && (there.st_dev, there.st_ino) == (status.st_dev, status.st_ino)
    }

    /// Tries to lock the file; false if another process holds the lock. It does not block, since it runs on a thread of
    /// Swift's pool.
    private func lock(_ mode: Mode) throws(Errno) -> Bool {
        if flock(descriptor.rawValue, (mode == .exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 { return true }
        guard errno == EWOULDBLOCK || errno == EINTR else { throw Errno(rawValue: errno) }
        return false
    }
}
