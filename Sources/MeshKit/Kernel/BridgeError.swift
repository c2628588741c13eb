public import SystemPackage

/// Why a bridge could not be read, or one of its ports could not be set.
public struct BridgeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The operation that failed: "look at the bridges".
    public var operation: String
    /// The kernel's errno.
    public var errno: Errno
    /// The kernel's own message, if it sent one.
    public var message: String?

    /// The operation, and why it failed.
    public var description: String {
        let hint = isPermission ? "; it takes CAP_NET_ADMIN: run it as root" : ""
        return "cannot \(operation): \(errno)" + (message.map { " (\($0))" } ?? "") + hint
    }

    /// Whether the user lacks the permission for the operation.
    public var isPermission: Bool { errno == .notPermitted || errno == .permissionDenied }
}
