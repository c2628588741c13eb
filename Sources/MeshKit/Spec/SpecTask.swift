public import IPVSKit

/// One task of a service: a running program behind an address.
public struct SpecTask: Hashable, Sendable {
    /// The address at which the task is reached. For an attached task, this is its first address on the first of its
    /// networks.
    public var address: IPAddress
    /// The task's share of new connections. A task of weight 0 gets no new ones and keeps those it has.
    public var weight: UInt32 = 1
    /// The name of the node that the task is behind. Replies of the task come back through that node, so the task may
    /// see the client's address there. Nil if nobody said.
    public var node: String?
    /// What joins the task to overlay networks; nil for a task that the routes of the nodes reach.
    public var attachment: TaskAttachment?
    /// Whether the task drains: it gets no new connections, whatever its weight, and keeps those it has.
    public var isDraining = false
    /// Whether the task's source says that it cannot serve, as Docker does by HEALTHCHECK. It then gets no new
    /// connections, unless the same is said of all tasks of its service.
    public var isUnhealthy = false
    /// Who has found the task; nil for one that the operator has added.
    public var origin: Origin?

    /// A task of weight 1 behind no known node, unless the arguments say otherwise.
    public init(
        address: IPAddress, weight: UInt32 = 1, node: String? = nil, attachment: TaskAttachment? = nil,
        isDraining: Bool = false, isUnhealthy: Bool = false, origin: Origin? = nil
    ) {
        self.address = address
        self.weight = weight
        self.node = node
        self.attachment = attachment
        self.isDraining = isDraining
        self.isUnhealthy = isUnhealthy
        self.origin = origin
    }

    /// The share of new connections that the task has at present.
    public var share: UInt32 { isDraining ? 0 : weight }
}

extension SpecTask: Codable {
    private enum CodingKeys: String, CodingKey { case address, weight, node, attachment, draining, unhealthy, source }

    /// Reads an object. A missing field has the value from the time before the field existed.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        address = try container.decode(IPAddress.self, forKey: .address)
        weight = try container.decode(UInt32.self, forKey: .weight)
        node = try container.decodeIfPresent(String.self, forKey: .node)
        attachment = try container.decodeIfPresent(TaskAttachment.self, forKey: .attachment)
        isDraining = try container.decodeIfPresent(Bool.self, forKey: .draining) ?? false
        isUnhealthy = try container.decodeIfPresent(Bool.self, forKey: .unhealthy) ?? false
        origin = try container.decodeIfPresent(Origin.self, forKey: .source)
    }

    /// Leaves out the fields that have their default values.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(address, forKey: .address)
        try container.encode(weight, forKey: .weight)
        try container.encodeIfPresent(node, forKey: .node)
        try container.encodeIfPresent(attachment, forKey: .attachment)
        if isDraining { try container.encode(isDraining, forKey: .draining) }
        if isUnhealthy { try container.encode(isUnhealthy, forKey: .unhealthy) }
        try container.encodeIfPresent(origin, forKey: .source)
    }
}
