import CNetlink
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension NamespaceIdentity {
    /// The identity of the namespace of the process.
    static func ofProcess(_ handle: NamespaceHandle) throws -> Self {
        guard let boot = SysctlFiles().read(Sysctl(rawValue: "kernel/random/boot_id")) else {
            throw PlaceError(.other, "tell which boot this is", hint: "/proc/sys/kernel/random/boot_id cannot be read")
        }
        return Self(
            bootID: boot, inode: try handle.inode(to: "look at the namespace of the process"), cookie: ownCookie())
    }

    /// The cookie of the calling thread's namespace; nil before Linux 5.14.
    private static func ownCookie() -> UInt64? {
        let descriptor = socket(AF_NETLINK, CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue), CInt(NETLINK_ROUTE))
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var cookie: UInt64 = 0
        var length = socklen_t(MemoryLayout<UInt64>.size)
        guard getsockopt(descriptor, SOL_SOCKET, 71 /* SO_NETNS_COOKIE */, &cookie, &length) == 0 else { return nil }
        return cookie
    }

    /// The place where the namespace can still be found: a process that is in it, or a name that it has. Nil if it has
    /// ended, if only an open descriptor keeps it, or if it is of another boot.
    func whereabouts() async -> String? {
        guard SysctlFiles().read(Sysctl(rawValue: "kernel/random/boot_id")) == bootID else { return nil }
        for (path, name) in Self.namedFiles() + Self.processFiles() {
            var status = stat()
            guard stat(path, &status) == 0, UInt64(status.st_ino) == inode,
                let handle = try? NamespaceHandle(path: FilePath(path)),
                CNetlink_is_network_namespace(handle.descriptor.rawValue) == 1
            else { continue }
            // A later namespace may have the inode number of one that has ended.
            if let cookie, let found = try? await DetachedThread.run(in: handle, { Self.ownCookie() }), found != cookie
            {
                return nil
            }
            return name
        }
        return nil
    }

    private static func namedFiles() -> [(path: String, name: String)] {
        ((try? names(in: "/run/netns")) ?? []).map { ("/run/netns/\($0)", "the namespace \($0)") }
    }

    private static func processFiles() -> [(path: String, name: String)] {
        ((try? NamespaceHandle.filesOfProcesses()) ?? []).map { ($0.path, "the namespace of process \($0.process)") }
    }
}
