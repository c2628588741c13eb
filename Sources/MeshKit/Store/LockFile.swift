import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A file that is there to be locked (flock), and that nobody but its owner can open: whoever can open a file, also for
/// reading alone, can lock it and never let go.
package final class LockFile: Sendable {
    package enum Mode {
        /// For those who only read; the file is not made for them.
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

    /// For how long a lock is respected that is held on a file which others can open: an earlier version of this program
    /// made such files, and may be in the middle of a change. Anybody else may hold it for ever.
    static let patience = Duration.seconds(3)

    /// Opens the file and locks it.
    ///
    /// - Parameter wait: called between one attempt and the next.
    /// - Returns: nil where the file is not there, and is not made.
    static func acquire(
        _ path: FilePath, _ mode: Mode, wait: () async throws -> Void
    ) async throws -> LockFile? {
        while true {
            guard let file = try open(path, mode) else { return nil }
            if try file.isPrivate(in: path.removingLastComponent()) {
                while try !file.lock(mode) { try await wait() }
                // Somebody may have put another in its place before it was locked.
                if file.isAt(path) { return file }
            } else {
                let end = ContinuousClock.now + patience
                while try !file.lock(.exclusive), ContinuousClock.now < end { try await wait() }
                try await replace(file, at: path, wait: wait)
            }
        }
    }

    /// Puts a file that nobody else can open in the place of one that others can.
    ///
    /// Changing its permissions would not take it away from those who have it open. The new one is made under another name
    /// and locked there, so that of many who do this one at a time looks whether it is still to be done, and does it.
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

    /// Whether it is its owner's alone, who is the folder's, or is who asks.
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

    /// False where another holds it. Does not block: a thread of Swift's pool is not ours to block.
    private func lock(_ mode: Mode) throws(Errno) -> Bool {
        if flock(descriptor.rawValue, (mode == .exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0 { return true }
        guard errno == EWOULDBLOCK || errno == EINTR else { throw Errno(rawValue: errno) }
        return false
    }
}
