import CNetlink
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A network namespace that is kept by a name below `/run/netns`, as `ip netns add` does it.
///
/// Not everybody sees the same `/run/netns`. `ip netns exec` gives its program a mount namespace of its own, a slave
/// of that it was started in: what the program mounts nobody else sees, and it goes when the program ends. So the
/// name is given in the mount namespace of process 1, by a thread that enters it and ends there, and looked up in the
/// same way. In a container process 1 is the container's, which is right: the
/// name lives as long as that does.
struct NamespaceMount: Sendable {
    let name: String

    private static let directory: FilePath = "/run/netns"

    /// As process 1 sees it.
    private var mountPoint: FilePath { Self.directory.appending(name) }

    enum Content: Sendable {
        case missing
        case namespace(NamespaceHandle)
        /// A file, from which what was mounted has gone.
        case somethingElse
    }

    /// What the name stands for. Looked up where it is given: by way of `/proc/1/root` it would be looked for elsewhere
    /// where process 1 is in a chroot.
    ///
    /// - Parameter anywhere: any namespace, for the thread to be in.
    func content(from anywhere: NamespaceHandle) async throws -> Content {
        try await inFirstProcess("look for the namespace \(name)", anywhere) { () throws(Errno) in
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

    /// Gives a namespace the name, which must be free.
    func add(_ namespace: NamespaceHandle) async throws {
        try await inFirstProcess("keep the namespace \(name)", namespace) { () throws(Errno) in
            guard mkdir(Self.directory.string, 0o755) == 0 || errno == EEXIST else { throw Errno(rawValue: errno) }
            try Self.shareDirectory()
            let file = open(mountPoint.string, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0)
            guard file >= 0 else { throw Errno(rawValue: errno) }
            close(file)
            // The thread is in the namespace to be kept.
            guard CNetlink_bind("/proc/thread-self/ns/net", mountPoint.string) == 0 else {
                let error = Errno(rawValue: errno)
                unlink(mountPoint.string)
                throw error
            }
        }
    }

    /// Takes the name away, of whatever it is. Where nothing else keeps the namespace, that ends it.
    ///
    /// - Parameter anywhere: any namespace, for the thread to be in.
    func remove(_ anywhere: NamespaceHandle) async throws {
        try await inFirstProcess("remove the namespace \(name)", anywhere) { () throws(Errno) in
            // EINVAL where nothing is mounted on it, ENOENT where it is not.
            guard CNetlink_detach(mountPoint.string) == 0 || errno == EINVAL || errno == ENOENT else {
                throw Errno(rawValue: errno)
            }
            guard unlink(mountPoint.string) == 0 || errno == ENOENT else { throw Errno(rawValue: errno) }
        }
    }

    /// Makes the directory a mount that is shared, so that copies of the mount namespace see what is mounted in it,
    /// and let go of what is unmounted. Under the lock that `ip netns` takes for the same: two at a time, and each
    /// mounts the other's anew.
    ///
    /// Anybody can open the directory and hold that lock for ever. So it is waited for only where there is something to do,
    /// and for longer than anybody needs who does the same.
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

    /// Runs the body on a thread of its own in the mount namespace of process 1, and in a network namespace.
    private func inFirstProcess<Value: Sendable>(
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
                throw PlaceError(operation, error, hint: Self.hint(error))
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
