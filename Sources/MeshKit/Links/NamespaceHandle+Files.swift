import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension NamespaceHandle {
    /// The files that refer to the network namespaces of all processes, in the order of the processes' numbers. Many
    /// refer to the same namespace.
    static func filesOfProcesses() throws(Errno) -> [(process: Int, path: String)] {
        try ProcFile.names(in: "/proc").compactMap(Int.init).sorted().map { ($0, "/proc/\($0)/ns/net") }
    }

    /// The inode of the namespace's file.
    ///
    /// - Parameter operation: what it is read for, in words: `look at the namespace of the process`.
    func inode(to operation: String) throws(PlaceError) -> UInt64 {
        var status = stat()
        guard fstat(descriptor.rawValue, &status) == 0 else { throw PlaceError(operation, Errno(rawValue: errno)) }
        return UInt64(status.st_ino)
    }
}
