/// Identifies a network namespace and the boot in which it exists.
public struct NamespaceIdentity: Hashable, Sendable, Codable {
    /// The boot, as `/proc/sys/kernel/random/boot_id` names it.
    public var bootID: String
    /// The inode of the namespace's file (`/proc/self/ns/net`). A later namespace may get the same number.
    public var inode: UInt64
    /// The kernel's number of the namespace (`SO_NETNS_COOKIE`), which no other namespace gets until the next boot. Nil
    /// before Linux 5.14, which has no such number.
    public var cookie: UInt64?

    /// An identity by its parts.
    public init(bootID: String, inode: UInt64, cookie: UInt64?) {
        self.bootID = bootID
        self.inode = inode
        self.cookie = cookie
    }
}
