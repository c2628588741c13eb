package import IPVSKit

/// What a task's network namespace decides about the way in which it is attached.
package struct TaskFacts: Hashable, Sendable {
    /// The inode of the namespace.
    package var inode: UInt64
    /// The source addresses of packets that leave by the default routes, one of each family in which there is such a
    /// route, IPv4 first.
    package var defaultAddresses: [IPAddress]

    /// Whether the namespace has no interface of a mesh: it was made just now, perhaps with the inode of one that was
    /// attached, since the kernel gives the number of a namespace that has ended to the next one.
    package var isBare: Bool

    package init(inode: UInt64, defaultAddresses: [IPAddress] = [], isBare: Bool = false) {
        self.inode = inode
        self.defaultAddresses = defaultAddresses
        self.isBare = isBare
    }
}
