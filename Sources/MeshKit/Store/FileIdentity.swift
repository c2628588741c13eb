import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Identifies the state of a file. Two values differ if the file was replaced or written in between.
struct FileIdentity: Equatable, Sendable {
    private var device: UInt64 = 0
    /// 0 if there is no file.
    private var inode: UInt64 = 0
    private var size: Int64 = 0
    private var changed: [Int] = []

    /// The file at a path, without opening it.
    init(of path: FilePath) {
        var status = stat()
        guard path.withPlatformString({ stat($0, &status) }) == 0 else { return }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        changed = [status.st_ctim.tv_sec, status.st_ctim.tv_nsec]
    }
}
