public import SystemPackage

/// Why a kernel setting could not be written.
public struct SysctlError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The setting.
    public var sysctl: Sysctl
    /// The value that was written.
    public var value: String
    /// The kernel's errno; ENOENT if it has no such setting.
    public var errno: Errno

    /// An error by its parts.
    public init(sysctl: Sysctl, value: String, errno: Errno) {
        self.sysctl = sysctl
        self.value = value
        self.errno = errno
    }

    /// The setting, and why it could not be written.
    public var description: String {
        "cannot set \(sysctl) to \(value): \(errno)"
            + (errno == .noSuchFileOrDirectory ? "; the kernel has no such setting" : "")
            + (errno == .readOnlyFileSystem ? "; /proc/sys is mounted read-only here" : "")
    }
}
