package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Which file a path names, whatever becomes of the name.
package struct NamedFile: Equatable, Sendable {
    private let device: UInt64
    private let number: UInt64
    /// Whether the file is a Unix socket.
    package let isSocket: Bool

    /// The file at a path, of a symbolic link the link itself; nil if there is none.
    package init?(of path: FilePath) {
        var status = stat()
        guard path.withPlatformString({ lstat($0, &status) }) == 0 else { return nil }
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
        isSocket = status.st_mode & S_IFMT == S_IFSOCK
    }
}
