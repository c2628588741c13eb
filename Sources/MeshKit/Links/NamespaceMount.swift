import CNetlink
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A network namespace that is kept by a name below `/run/netns`, as `ip netns add` keeps one.
///
/// Not all processes see the same `/run/netns`. `ip netns exec` gives its program a mount namespace of its own, which
/// is a slave of the one in which it was started: mounts of the program are visible to nobody else, and go when the
/// program ends. So a thread enters the mount namespace of process 1, gives or looks up the name there, and ends. In a
/// container, process 1 is the container's, and the name lives as long as the container.
struct NamespaceMount: Sendable {
    let name: String

    private static let directory: FilePath = "/run/netns"

    /// The file of a name, for processes that see the `/run/netns` of process 1.
    static func path(of name: String) -> String { directory.appending(name).string }

    /// The name that a file keeps; nil for a file elsewhere than in `/run/netns`.
    static func name(of path: String) -> String? {
        let file = FilePath(path)
        return file.removingLastComponent() == directory ? file.lastComponent?.string : nil
    }

    /// The file of the name, as process 1 sees it.
    private var mountPoint: FilePath { Self.directory.appending(name) }

    enum Content: Sendable {
        case missing
        case namespace(NamespaceHandle)
        /// A file that is no namespace, for example because its mount is gone.
        case somethingElse
    }

    /// What the name stands for. The lookup does not go through `/proc/1/root`: if process 1 is in a chroot, that path
    /// leads to another `/run/netns` than the one in which the name is given.
    ///
    /// - Parameter anywhere: any network namespace, in which the thread can work.
    func content(from anywhere: NamespaceHandle) async throws -> Content {
        try await Self.inFirstProcess("look for the namespace \(name)", anywhere) { () throws(Errno) in
            // A link leads to a name that is somebody else's.
            var status = Glibc.stat()
            if lstat(mountPoint.string, &status) == 0, status.st_mode & S_IFMT == S_IFLNK {
                throw .tooManySymbolicLinkLevels
            }
            let handle: NamespaceHandle
            do throws(Errno) {
                handle = try NamespaceHandle(path: mountPoint)
            } catch .noSuchFileOrDirectory {
                return .missing
            }
            switch CNetlink_is_network_namespace(handle.descriptor.rawValue) {
            case 1: return .namespace(handle)
            case 0: return .somethingElse
            default: throw Errno(rawValue: errno)
            }
        }
    }

    /// Gives the name to a namespace. The name must be free.
    func add(_ namespace: NamespaceHandle) async throws {
        try await Self.inFirstProcess("keep the namespace \(name)", namespace) { () throws(Errno) in
            guard mkdir(Self.directory.string, 0o755) == 0 || errno == EEXIST else { throw Errno(rawValue: errno) }
            try Self.shareDirectory()
            let file = open(mountPoint.string, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0)
            guard file >= 0 else { throw Errno(rawValue: errno) }
            close(file)
            // The thread is in the namespace that gets the name.
            guard CNetlink_bind("/proc/thread-self/ns/net", mountPoint.string) == 0 else {
                let error = Errno(rawValue: errno)
                unlink(mountPoint.string)
                throw error
            }
        }
    }

    /// Removes the name, whatever it stands for. This ends the namespace unless something else keeps it.
    ///
    /// - Parameter anywhere: any network namespace, in which the thread can work.
    func remove(_ anywhere: NamespaceHandle) async throws {
        try await Self.inFirstProcess("remove the namespace \(name)", anywhere) { () throws(Errno) in
            // The errno is EINVAL if nothing is mounted on the file, and ENOENT if there is no file.
            guard CNetlink_detach(mountPoint.string) == 0 || errno == EINVAL || errno == ENOENT else {
                throw Errno(rawValue: errno)
            }
            guard unlink(mountPoint.string) == 0 || errno == ENOENT else { throw Errno(rawValue: errno) }
        }
    }

    /// Watches which names come and go, as process 1 sees them.
    ///
    /// - Returns: false if there is no directory of names yet.
    static func watchNames(by watch: FolderWatch) async throws -> Bool {
        let here: NamespaceHandle
        do throws(Errno) {
            here = try NamespaceHandle(path: "/proc/thread-self/ns/net")
        } catch {
            throw PlaceError("watch the names of network namespaces", error)
        }
        return try await inFirstProcess("watch the names of network namespaces", here) { () throws(Errno) in
            do throws(Errno) {
                try watch.watch(directory.string)
                return true
            } catch .noSuchFileOrDirectory {
                return false
            }
        }
    }

    /// Makes the directory a shared mount, so that copies of the mount namespace see what is mounted in it, and let go
    /// of what is unmounted. `ip netns` takes the same lock for the same work: two processes that did it at a time
    /// would each mount the directory over the other's.
    ///
    /// Anybody can open the directory and hold the lock for ever. So the lock is taken only if there is something to
    /// do, and waited for no longer than an honest holder could need it.
    private static func shareDirectory() throws(Errno) {
        if CNetlink_share(directory.string) == 0 { return }
        let lock = open(directory.string, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard lock >= 0 else { throw Errno(rawValue: errno) }
        defer { close(lock) }
        let end = ContinuousClock.now + .seconds(3)
        while flock(lock, LOCK_EX | LOCK_NB) != 0, ContinuousClock.now < end {
            guard errno == EWOULDBLOCK || errno == EINTR else { throw Errno(rawValue: errno) }
            usleep(10000)
        }
        if CNetlink_share(directory.string) == 0 { return }
        guard errno == EINVAL, CNetlink_bind(directory.string, directory.string) == 0,
            CNetlink_share(directory.string) == 0
        else { throw Errno(rawValue: errno) }
    }

    /// Runs the body on a thread of its own, in the mount namespace of process 1 and in the given network namespace.
    static func inFirstProcess<Value: Sendable>(
        _ operation: String, _ namespace: NamespaceHandle, _ body: @escaping @Sendable () throws(Errno) -> Value
    ) async throws -> Value {
        try await DetachedThread.run(in: namespace) { () throws(PlaceError) in
            do throws(Errno) {
                let first = try NamespaceHandle(path: "/proc/1/ns/mnt")
                guard CNetlink_enter_mount_namespace(first.descriptor.rawValue) == 0 else {
                    throw Errno(rawValue: errno)
                }
            } catch {
                throw PlaceError("enter the mount namespace of process 1, to \(operation)", error)
            }
            do throws(Errno) {
                return try body()
            } catch {
                throw PlaceError(operation, error, hint: hint(error))
            }
        }
    }

    private static func hint(_ error: Errno) -> String? {
        switch error {
        case .readOnlyFileSystem: "/run/netns of process 1 is read-only, so that no namespace can be named there"
        case .noSuchFileOrDirectory: "process 1 has no /run to name a namespace in"
        case .permissionDenied, .notPermitted:
            "it takes CAP_SYS_ADMIN, and CAP_SYS_PTRACE where process 1 has more rights than this one"
        default: nil
        }
    }
}
