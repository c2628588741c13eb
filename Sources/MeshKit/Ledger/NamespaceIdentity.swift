/// Which network namespace of which boot.
public struct NamespaceIdentity: Hashable, Sendable, Codable {
    /// The boot, as `/proc/sys/kernel/random/boot_id` names it.
    public var bootID: String
    /// The inode of the namespace's file (`/proc/self/ns/net`). A later namespace may get the number of one that ended.
    public var inode: UInt64
    /// The kernel's own number of the namespace (`SO_NETNS_COOKIE`), which no other gets until the next boot. Nil before
    /// Linux 5.14, which has none.
    public var cookie: UInt64?

    /// A namespace by the three.
    public init(bootID: String, inode: UInt64, cookie: UInt64?) {
        self.bootID = bootID
        self.inode = inode
        self.cookie = cookie
    }
}
