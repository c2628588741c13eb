public import IPVSKit

/// What joins a task to overlay networks: its namespace, and the addresses that were allocated for it.
public struct TaskAttachment: Hashable, Sendable, Codable {
    /// The file that refers to the task's network namespace on the task's node, such as `/run/netns/web` or
    /// `/proc/4211/ns/net`.
    public var namespace: String
    /// The inode of the namespace. A later process may have the same number as an earlier one, and a later namespace
    /// the same name. Nil if the attachment was written on another node than the task's.
    public var inode: UInt64?
    /// The name of the container whose namespace it is. The container may come back with another process, and so with
    /// another file. Nil if the namespace was not named by a container.
    public var container: String?
    /// The task's addresses on each network, at most one of each family, IPv4 first, by the network's name.
    public var addresses: [String: [IPAddress]]
    /// The task's addresses on the gateway bridge of its node, one of each family in which it had no default route.
    public var gatewayAddresses: [IPAddress]
    /// The task's own addresses by which its default routes lead, one of each family in which it had one.
    public var defaultAddresses: [IPAddress]

    /// The addresses that were allocated for the task.
    var allocated: [IPAddress] { addresses.values.joined() + gatewayAddresses }

    /// An attachment by its parts.
    public init(
        namespace: String, inode: UInt64? = nil, container: String? = nil, addresses: [String: [IPAddress]],
        gatewayAddresses: [IPAddress] = [], defaultAddresses: [IPAddress] = []
    ) {
        self.namespace = namespace
        self.inode = inode
        self.container = container
        self.addresses = addresses
        self.gatewayAddresses = gatewayAddresses
        self.defaultAddresses = defaultAddresses
    }
}
