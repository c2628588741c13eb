import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension NamespaceHandle {
    /// A new network namespace that nothing but the handle keeps: whatever is tried out in it is gone with the
    /// handle, and nobody has seen it.
    ///
    /// Its loopback is up. Until a namespace has an address its kernel has no table to look addresses up in, takes
    /// every one for a broadcast address, and IPVS refuses all destinations.
    ///
    /// - Throws: ``NetlinkError/namespace(_:)`` where the kernel makes none.
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
