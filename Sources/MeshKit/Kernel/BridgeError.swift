public import SystemPackage

/// Why a bridge could not be looked at, or a port of it not be set.
public struct BridgeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was to be done: "look at the bridges".
    public var operation: String
    /// What the kernel answered.
    public var errno: Errno
    /// The kernel's own words, where it has some.
    public var message: String?

    /// Which operation, and why.
    public var description: String {
        let hint = isPermission ? "; it takes CAP_NET_ADMIN: run it as root" : ""
        return "cannot \(operation): \(errno)" + (message.map { " (\($0))" } ?? "") + hint
    }

    /// Whether the user cannot do this.
    public var isPermission: Bool { errno == .notPermitted || errno == .permissionDenied }
}
