public import IPVSKit

/// What is wanted when a task is attached to overlay networks.
public struct TaskAttachmentRequest: Hashable, Sendable {
    /// The file that refers to the task's network namespace on the task's node.
    public var namespace: String
    /// The inode of the namespace; nil if the task is on another node.
    public var inode: UInt64?
    /// The name of the container whose namespace it is; nil if it was named otherwise.
    public var container: String?
    /// The name of the task's node.
    public var node: String
    /// The user networks besides `ingress`. Nil: those that the service is on.
    public var networks: [String]?
    /// An address that the task is to have on one of its networks. Nil: the lowest free ones.
    public var address: IPAddress?
    /// The task's share of new connections.
    public var weight: UInt32
    /// The task's own addresses by which its default routes lead, at most one of each family.
    public var defaultAddresses: [IPAddress]
    /// The files of attached namespaces on the node that no longer lead to them. Later namespaces may have the inodes.
    public var ended: Set<String> = []
    /// Whether the namespace has no interface of the mesh. If it seems to be attached already, it is a new one with the
    /// inode of the one that was, or somebody has removed its interfaces.
    public var isBare = false

    /// A request for a task of weight 1 without default routes, unless the arguments say otherwise.
    public init(
        namespace: String, inode: UInt64? = nil, container: String? = nil, node: String, networks: [String]? = nil,
        address: IPAddress? = nil, weight: UInt32 = 1, defaultAddresses: [IPAddress] = []
    ) {
        self.namespace = namespace
        self.inode = inode
        self.container = container
        self.node = node
        self.networks = networks
        self.address = address
        self.weight = weight
        self.defaultAddresses = defaultAddresses
    }
}
