public import IPVSKit

/// One task of a service: a running program behind an address.
public struct SpecTask: Hashable, Sendable, Codable {
    /// The address at which the task is reached.
    public var address: IPAddress
    /// The task's share of new connections. A task of weight 0 gets no new ones and keeps those it has.
    public var weight: UInt32 = 1
    /// The name of the node that the task is behind. Replies of the task come back through that node, so the task may
    /// see the client's address there. Nil if nobody said.
    public var node: String?

    /// A task of weight 1 behind no known node, unless the arguments say otherwise.
    public init(address: IPAddress, weight: UInt32 = 1, node: String? = nil) {
        self.address = address
        self.weight = weight
        self.node = node
    }
}
