public import IPVSKit

/// One running backend of a service.
public struct SpecTask: Hashable, Sendable, Codable {
    /// Where the task is reached.
    public var address: IPAddress
    /// The task's share of new connections. A task of weight 0 gets no new ones and keeps those it has.
    public var weight: UInt32 = 1
    /// The name of the node that the task is behind: its replies come back by that node, which therefore can leave it
    /// the client's address. Nil where nobody said.
    public var node: String?

    /// A task of weight 1 behind no node that is known, unless the arguments say otherwise.
    public init(address: IPAddress, weight: UInt32 = 1, node: String? = nil) {
        self.address = address
        self.weight = weight
        self.node = node
    }
}
