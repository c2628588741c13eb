import IPVSKit

extension PlaceID {
    /// The hidden namespace that balances published ports to the tasks on the ingress network.
    public static let sandbox = Self(rawValue: "ingress_sbox")

    /// The namespace that holds this node's bridge of an overlay network.
    static func overlay(_ network: String) -> Self { Self(rawValue: overlayPrefix + network) }

    /// The namespace of an attached task, by the file that refers to it.
    static func task(_ namespace: String) -> Self { Self(rawValue: taskPrefix + namespace) }

    /// The namespace that balances connections between the tasks of a user network.
    package static func balancer(_ network: String) -> Self { Self(rawValue: balancerPrefix + network) }

    private static let overlayPrefix = "mesh_"
    private static let balancerPrefix = "lb_"
    private static let taskPrefix = "task:"

    /// The file that refers to the namespace of an attached task; nil for other places.
    var taskNamespace: String? {
        rawValue.hasPrefix(Self.taskPrefix) ? String(rawValue.dropFirst(Self.taskPrefix.count)) : nil
    }

    /// The name of the user network whose balancer the namespace is; nil for other places.
    var balancedNetwork: String? {
        rawValue.hasPrefix(Self.balancerPrefix) ? String(rawValue.dropFirst(Self.balancerPrefix.count)) : nil
    }

    /// The name of the overlay network whose bridge the namespace holds; nil for other places.
    var overlayNetwork: String? {
        rawValue.hasPrefix(Self.overlayPrefix) ? String(rawValue.dropFirst(Self.overlayPrefix.count)) : nil
    }
}

/// The names of the interfaces of overlay networks. Each is unique in its namespace.
enum MeshNames {
    /// The node's bridge by which attached tasks reach the world outside.
    static let gatewayBridge = "mesh_gwbridge"
    /// The node's end of the link to the sandbox.
    static let sandboxLink = "mesh_sbox"
    /// A balancer's end of its link to its network.
    static let balancerOverlay = "eth0"
    /// The sandbox's end of its link to the node.
    static let sandboxNode = "eth1"
    /// The bridge of an overlay network, and the interface whose packets travel to other nodes.
    static let bridge = "br0"
    static let vxlan = "vxlan0"
    /// The port of a network's bridge that leads to the network's balancer.
    static let balancerPort = "balancer"
    /// The task's end of its link to the gateway bridge.
    static let taskGateway = "meshgw"

    /// The task's end of its link to a network.
    static func task(on network: MeshNetwork) -> String { "\(taskPrefix)\(network.identifier)" }
    /// Whether a task's end of a link has this name.
    static func isTaskEnd(_ name: String) -> Bool {
        name == taskGateway || name.hasPrefix(taskPrefix) && UInt32(name.dropFirst(taskPrefix.count)) != nil
    }
    /// The port of a network's bridge that leads to the task with an address.
    static func port(to address: IPAddress) -> String { portPrefix + hexadecimal(address) }
    /// The port of the gateway bridge that leads to the task with an address there.
    static func gatewayPort(to address: IPAddress) -> String { gatewayPortPrefix + hexadecimal(address) }

    private static let taskPrefix = "mesh"
    private static let portPrefix = "mt-"
    private static let gatewayPortPrefix = "mg-"

    /// The last four bytes of an address. ``MeshSpec/lookalike(of:in:of:)`` sees to it that they tell the interfaces on
    /// one network apart.
    private static func hexadecimal(_ address: IPAddress) -> String {
        HardwareAddress(onOverlay: address).bytes.suffix(4).map {
            String(String(UInt16($0) + 0x100, radix: 16).dropFirst())
        }.joined()
    }
}

extension MeshRequest {
    /// The folder of a node's documents if nobody chose another.
    public static let defaultFolder = "/var/lib/meshctl"

    /// The name below `/run/netns` of a namespace of the mesh. Several nodes may share one kernel, each with a folder of
    /// its own: then the names bear the node's name.
    func namespaceName(of place: PlaceID) -> String {
        folder == nil || folder == Self.defaultFolder ? place.rawValue : "\(place.rawValue)-\(ledger.node)"
    }
}
