import CNetlink
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension NamespaceIdentity {
    /// The identity of the namespace of the process.
    static func ofProcess(_ handle: NamespaceHandle) throws -> Self {
        Self(
            bootID: try presentBoot(), inode: try handle.inode(to: "look at the namespace of the process"),
            cookie: ownCookie())
    }

    private static func presentBoot() throws(PlaceError) -> String {
        guard let boot = SysctlFiles().read(Sysctl(rawValue: "kernel/random/boot_id")) else {
            throw PlaceError(.other, "tell which boot this is", hint: "/proc/sys/kernel/random/boot_id cannot be read")
        }
        return boot
    }

    /// The cookie of the calling thread's namespace; nil before Linux 5.14.
    private static func ownCookie() -> UInt64? {
        let descriptor = socket(AF_NETLINK, CInt(SOCK_RAW.rawValue) | CInt(SOCK_CLOEXEC.rawValue), CInt(NETLINK_ROUTE))
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return NamespaceHandle.cookie(ofSocket: descriptor)
    }

    /// A file that may refer to the namespace.
    private struct Lead {
        var path: String
        /// What the namespace is if the file refers to it, in words.
        var name: String
        /// The errors which say that the file leads nowhere.
        var deadEnds: Set<Errno> = [.noSuchFileOrDirectory]
    }

    /// The place where the namespace can still be found: a process that is in it, or a name that it has. Nil if it has
    /// ended, if only an open descriptor keeps it, or if it is of another boot.
    ///
    /// - Throws: an error if it cannot be looked for in one of the places where it may be.
    func whereabouts() async throws(PlaceError) -> String? {
        guard try Self.presentBoot() == bootID else { return nil }
        for lead in try Self.names() + Self.processes() {
            guard let handle = try follow(lead) else { continue }
            // A later namespace may have the inode number of one that has ended. One that cannot be asked counts as it.
            if let cookie, let found = try? await DetachedThread.run(in: handle, { Self.ownCookie() }), found != cookie
            {
                return nil
            }
            return lead.name
        }
        return nil
    }

    /// The namespace that a file refers to; nil if it is another one.
    private func follow(_ lead: Lead) throws(PlaceError) -> NamespaceHandle? {
        do throws(Errno) {
            var status = stat()
            guard stat(lead.path, &status) == 0 else { throw Errno(rawValue: errno) }
            guard UInt64(status.st_ino) == inode else { return nil }
            let handle = try NamespaceHandle(path: FilePath(lead.path))
            let answer = CNetlink_is_network_namespace(handle.descriptor.rawValue)
            guard answer >= 0 else { throw Errno(rawValue: errno) }
            return answer == 1 ? handle : nil
        } catch {
            if lead.deadEnds.contains(error) { return nil }
            throw PlaceError("look for the network namespace of the ledger at \(lead.path)", error)
        }
    }

    private static func names() throws(PlaceError) -> [Lead] {
        do throws(Errno) {
            return try ProcFile.names(in: "/run/netns").map {
                Lead(path: "/run/netns/\($0)", name: "the namespace \($0)")
            }
        } catch {
            // Nobody has given a namespace a name yet.
            if error == .noSuchFileOrDirectory { return [] }
            throw PlaceError("look for the network namespace of the ledger in /run/netns", error)
        }
    }

    private static func processes() throws(PlaceError) -> [Lead] {
        try PlaceError.attempt("list the processes") { () throws(Errno) in
            try NamespaceHandle.filesOfProcesses().map { process, path in
                // The kernel answers EACCES for a process that has just ended, too. Whoever may not look into processes of
                // others, as root of a container, could otherwise never tell.
                Lead(
                    path: path, name: "the namespace of process \(process)",
                    deadEnds: [.noSuchFileOrDirectory, .noSuchProcess, .permissionDenied])
            }
        }
    }
}
