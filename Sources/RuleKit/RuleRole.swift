public import IPVSKit

/// The role of a namespace in the mesh.
public enum RuleRole: Hashable, Sendable {
    /// The namespace has IPVS services: rules mark the packets to published ports, and IPVS balances them.
    ///
    /// - Parameters:
    ///   - detour: the detour of the connections that IPVS cannot balance.
    ///   - ingress: the way of new connections to the ports whose services are in the sandbox
    ///     (``PortRule/isElsewhere``).
    ///   - sourcePorts: in the sandbox, the source ports that this node's balanced packets leave with. Nodes that have
    ///     ranges of their own never send a task two connections with one address and one port of the client's.
    ///   - mtu: in the sandbox, the greatest length of a packet on the way to the tasks, in bytes. The ends of a TCP
    ///     connection are told so when it opens. Nil where the way is as wide as any other.
    case balancer(
        detour: Detour?, ingress: IngressPath? = nil, sourcePorts: ClosedRange<UInt16>? = nil, mtu: UInt32? = nil)
    /// The namespace is the other end of a detour: it sends every packet from the node back to the node, with another
    /// source address.
    ///
    /// - Parameter node: the node's addresses, at most one of each family. Packets of another family are not sent back.
    case turnaround(node: [IPAddress])
    /// The namespace is that of a task on the ingress network.
    case task(TaskReturn)
    /// The namespace is a node whose rules another tool carries, and iptables may drop the packets between the node and
    /// its sandbox: an accept in the tables of another tool cannot override that. Only iptables has this role.
    case passage(IngressPath)

    /// The role in a kernel that has some of the families only.
    public func limited(to families: Set<AddressFamily>) -> Self {
        switch self {
        case .balancer(var detour, var ingress, let sourcePorts, let mtu):
            detour?.addresses.removeAll { !families.contains($0.family) }
            ingress?.limit(to: families)
            return .balancer(detour: detour, ingress: ingress, sourcePorts: sourcePorts, mtu: mtu)
        case .turnaround(let node): return .turnaround(node: node.filter { families.contains($0.family) })
        case .task(var path):
            path.subnets.removeAll { !families.contains($0.family) }
            path.destinations.removeAll { !families.contains($0.family) }
            return .task(path)
        case .passage(var path):
            path.limit(to: families)
            return .passage(path)
        }
    }
}

/// A detour of new connections to published ports through another namespace. They leave by DNAT with their port
/// unchanged.
///
/// It is taken by connections to 127.0.0.0/8 and ::1, which IPVS does not carry to other hosts. The other namespace sends
/// them back, and they arrive like the connections of an ordinary client.
public struct Detour: Hashable, Sendable {
    /// The addresses in the other namespace to which they are sent, at most one of each family. Connections of another
    /// family stay on the node.
    public var addresses: [IPAddress]
    /// The interface through which they leave.
    public var interface: String

    /// A detour.
    public init(to addresses: [IPAddress], by interface: String) {
        self.addresses = addresses
        self.interface = interface
    }

    /// The address of a family.
    func address(_ family: AddressFamily) -> IPAddress? { addresses.first { $0.family == family } }
}

/// How a node sends new connections to published ports into its sandbox, and what its gateway bridge needs.
///
/// They leave by DNAT with their port unchanged, and the sandbox balances them.
public struct IngressPath: Hashable, Sendable {
    /// The addresses of the sandbox, at most one of each family. Connections of another family stay on the node.
    public var addresses: [IPAddress]
    /// The node's end of the link to the sandbox.
    public var interface: String
    /// The gateway bridge, by which tasks reach what is outside of their overlay networks.
    public var bridge: String
    /// The networks of the gateway bridge.
    public var subnets: [IPPrefix]

    /// A path.
    public init(addresses: [IPAddress], interface: String, bridge: String, subnets: [IPPrefix]) {
        self.addresses = addresses
        self.interface = interface
        self.bridge = bridge
        self.subnets = subnets
    }

    /// The sandbox's address of a family.
    func address(_ family: AddressFamily) -> IPAddress? { addresses.first { $0.family == family } }

    fileprivate mutating func limit(to families: Set<AddressFamily>) {
        addresses.removeAll { !families.contains($0.family) }
        subnets.removeAll { !families.contains($0.family) }
    }
}

/// How the replies of a task find the way back to the node from whose sandbox the connection came.
///
/// A connection is recognised by the hardware address of the sandbox that sent its first packet. Its replies get the
/// mark of that sandbox, by which the task's policy routing finds the sandbox. New connections from anybody else on the
/// ingress network are dropped: it leads to published ports, and to nothing else. Where the kernel has conntrack zones, each
/// sandbox has one, so that one port of a client may reach the task by several sandboxes.
public struct TaskReturn: Hashable, Sendable {
    /// The sandbox of a node.
    public struct Sender: Hashable, Sendable {
        /// The address of the sandbox's interface on the ingress network: `02:42:0a:ff:00:02`.
        public var hardwareAddress: String
        /// The mark of the replies to it, which is not 0. It is also the number of the zone of its connections, which
        /// has 16 bits.
        public var mark: UInt32

        /// A sandbox.
        public init(hardwareAddress: String, mark: UInt32) {
            self.hardwareAddress = hardwareAddress
            self.mark = mark
        }
    }

    /// The task's interface on the ingress network.
    public var interface: String
    /// The sandboxes of all nodes, in order.
    public var senders: [Sender]
    /// The networks of the ingress network.
    public var subnets: [IPPrefix]
    /// The task's own address to which packets from outside of the subnets are translated, at most one of each family:
    /// the address from which the task answers such clients by its routes.
    public var destinations: [IPAddress]
    /// Whether the connections of each sandbox are in a conntrack zone of their own.
    public var hasZones: Bool

    /// By default no packet is translated, and there are no zones.
    public init(
        interface: String, senders: [Sender], subnets: [IPPrefix], destinations: [IPAddress] = [],
        hasZones: Bool = false
    ) {
        self.interface = interface
        self.hasZones = hasZones
        self.senders = senders
        self.subnets = subnets
        self.destinations = destinations
    }

    /// The task's address of a family to which packets are translated.
    func destination(_ family: AddressFamily) -> IPAddress? { destinations.first { $0.family == family } }
}
