public import IPVSKit
public import RuleKit

/// An overlay network, which joins the tasks of all nodes. The spec knows networks by name.
public struct MeshNetwork: Hashable, Sendable, Codable {
    /// The name of the network through which published ports reach attached tasks.
    public static let ingress = "ingress"

    /// The VXLAN network identifier (VNI), 1 to 16777215.
    public var identifier: UInt32
    /// The UDP port of the nodes to which encapsulated packets are sent.
    public var port: UInt16
    /// The subnets, at most one of each family, IPv4 first. The first address of each is the gateway's.
    public var subnets: [IPPrefix]
    /// The addresses of each node's balancer on this network, at most one of each family, by the node's name.
    public var balancers: [String: [IPAddress]]

    /// The UDP port that is registered for VXLAN.
    public static let defaultPort: UInt16 = 4789

    /// A network by its parts.
    public init(
        identifier: UInt32, port: UInt16 = Self.defaultPort, subnets: [IPPrefix],
        balancers: [String: [IPAddress]] = [:]
    ) {
        self.identifier = identifier
        self.port = port
        self.subnets = subnets
        self.balancers = balancers
    }
}

/// The address at which the tasks of one network reach a service, whichever of its tasks answers.
public struct VirtualAddress: Hashable, Sendable, Codable {
    /// At most one address of each family of the network.
    public var addresses: [IPAddress]
    /// The mark by which IPVS finds the service on this network.
    public var mark: FirewallMark

    /// A virtual address by its parts.
    public init(addresses: [IPAddress], mark: FirewallMark) {
        self.addresses = addresses
        self.mark = mark
    }
}
