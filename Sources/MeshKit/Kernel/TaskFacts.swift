package import IPVSKit

/// What a task's network namespace decides about the way in which it is attached.
package struct TaskFacts: Hashable, Sendable {
    /// The inode of the namespace.
    package var inode: UInt64
    /// The source addresses of packets that leave by the default routes, one of each family in which there is such a
    /// route, IPv4 first.
    package var defaultAddresses: [IPAddress]

    package init(inode: UInt64, defaultAddresses: [IPAddress] = []) {
        self.inode = inode
        self.defaultAddresses = defaultAddresses
    }
}
