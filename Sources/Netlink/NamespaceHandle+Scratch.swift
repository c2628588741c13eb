import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension NamespaceHandle {
    /// A new network namespace that only the handle keeps alive. Everything that is tried in it disappears with the
    /// handle, and no other program sees it.
    ///
    /// The namespace's loopback interface is up. Until a namespace has an address, its kernel has no table for looking
    /// addresses up, takes every address for a broadcast address, and IPVS refuses all destinations.
    ///
    /// - Throws: ``NetlinkError/namespace(_:)`` if the kernel refuses to make a namespace.
    package static func scratch(deadline: Duration = .seconds(30)) async throws(NetlinkError) -> NamespaceHandle {
        try await DetachedThread.run(in: nil, deadline: deadline) {
            Result { () throws(Errno) in
                try DetachedThread.inside {
                    Result { () throws(Errno) in
                        guard CNetlink_unshare_network_namespace() == 0 else { throw Errno(rawValue: errno) }
                        guard CNetlink_raise_loopback() == 0 else { throw Errno(rawValue: errno) }
                        return try NamespaceHandle(path: "/proc/thread-self/ns/net")
                    }
                }.get()
            }.mapError(NetlinkError.namespace)
        }.get()
    }
}
