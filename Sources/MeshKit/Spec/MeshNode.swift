public import IPVSKit
public import RuleKit

/// A node of the mesh, with everything that was allocated for it. The spec knows nodes by name.
public struct MeshNode: Hashable, Sendable, Codable {
    /// The address at which the other nodes reach this one: overlay networks send their packets there. Nil for a node
    /// that has no others yet.
    public var address: IPAddress?
    /// A number from 1 up that no other node of the mesh has. The marks and source ports by which tasks tell the nodes
    /// apart are computed from it.
    public var number: Int
    /// The subnets of the node's gateway bridge, at most one of each family.
    public var gatewaySubnets: [IPPrefix]
    /// Whether the node's kernel is known to have conntrack zones, by which its tasks keep the connections of different
    /// nodes apart. Where it is not, all nodes send its tasks packets with source ports of their own.
    public var hasZones: Bool

    /// The numbers that a node may have. So many nodes have source ports of their own, at least one each.
    static let numbers = 1...32768

    /// A node by its parts.
    public init(address: IPAddress? = nil, number: Int, gatewaySubnets: [IPPrefix], hasZones: Bool = false) {
        self.address = address
        self.number = number
        self.gatewaySubnets = gatewaySubnets
        self.hasZones = hasZones
    }

    private enum CodingKeys: String, CodingKey {
        case address, number, gatewaySubnets, hasZones
    }

    /// Reads a node, of which it may say nothing but the number and the subnets.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        address = try container.decodeIfPresent(IPAddress.self, forKey: .address)
        number = try container.decode(Int.self, forKey: .number)
        guard Self.numbers.contains(number) else {
            throw DecodingError.dataCorruptedError(
                forKey: .number, in: container, debugDescription: "\(number) is no number of a node")
        }
        gatewaySubnets = try container.decode([IPPrefix].self, forKey: .gatewaySubnets)
        hasZones = try container.decodeIfPresent(Bool.self, forKey: .hasZones) ?? false
    }

    /// Leaves out what the node has not.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(address, forKey: .address)
        try container.encode(number, forKey: .number)
        try container.encode(gatewaySubnets, forKey: .gatewaySubnets)
        if hasZones { try container.encode(true, forKey: .hasZones) }
    }
}
