public import RuleKit

/// The networks that a node has apart from the mesh. What is allocated for the mesh must not meet them.
public struct HostNetworks: Hashable, Sendable {
    /// The networks of the node's interfaces and routes, and those that others have on its VXLAN tunnels, each with the
    /// name of an interface that has it.
    public var prefixes: [IPPrefix: String]
    /// The tunnels of VXLAN interfaces that others made.
    public var tunnels: Set<Tunnel>

    /// What the node tells VXLAN interfaces apart by: it has no two with the same number on the same port.
    public struct Tunnel: Hashable, Sendable {
        /// The VXLAN network identifier (VNI).
        public var identifier: UInt32
        /// The UDP port of encapsulated packets.
        public var port: UInt16

        /// A tunnel by its parts.
        public init(_ identifier: UInt32, port: UInt16 = MeshNetwork.defaultPort) {
            self.identifier = identifier
            self.port = port
        }
    }

    /// No networks, unless the arguments say otherwise.
    public init(prefixes: [IPPrefix: String] = [:], tunnels: Set<Tunnel> = []) {
        self.prefixes = prefixes
        self.tunnels = tunnels
    }
}
