public import IPVSKit

/// The wanted behaviour of the rules of one namespace. A ``RuleBackend`` decides how the rules achieve it.
public struct RuleSet: Hashable, Sendable {
    /// The role of the namespace.
    public var role: RuleRole
    /// The published ports, and how new connections to each are handled.
    public var ports: [PortBinding: PortRule] = [:]
    /// New connections to these addresses get the mark, whatever their port.
    public var virtualAddresses: [IPAddress: FirewallMark] = [:]
    /// Balanced packets with this mark to this task leave with the node's own address as their source, because the
    /// task's replies would not come back through the node otherwise.
    public var masqueraded: Set<BalancedPath> = []
    /// Balanced packets from one of these networks into the same network leave with the node's own address as their
    /// source, too: otherwise a task would answer a client in its own network directly, and could not answer itself at
    /// all. A network may be a single task, and one network may lie in another.
    public var hairpins: Set<IPPrefix> = []
    /// Replies from these tasks are accepted in the forward chain despite its policy, if the rules of the backend can
    /// override it.
    public var tasks: Set<IPAddress> = []
    /// The task ports that answer. A packet from one of them to the node itself that conntrack cannot assign to a
    /// connection is dropped; otherwise the node would reset the task's connection. No two entries overlap.
    public var answering: Set<TaskPorts> = []

    /// The owner that the rules in the kernel are to carry; nil if they are to carry none.
    public var owner: RuleOwner?

    /// Rules without any content.
    public init(role: RuleRole = .balancer(detour: nil)) { self.role = role }

    /// Whether the rules do nothing, so that the namespace needs none.
    public var isEmpty: Bool {
        if case .turnaround = role { return false }
        return ports.isEmpty && virtualAddresses.isEmpty && tasks.isEmpty
    }
}

/// The role of a namespace in the mesh.
public enum RuleRole: Hashable, Sendable {
    /// The namespace has the IPVS services: rules mark the packets to published ports, and IPVS balances them.
    /// Connections that IPVS cannot balance take the detour.
    case balancer(detour: Detour?)
    /// The namespace is the other end of a detour: it sends every packet from `node` back to the node, with another
    /// source address.
    case turnaround(node: IPAddress)
}

/// A detour of new connections to published ports through another namespace. They leave by DNAT with their port
/// unchanged.
public struct Detour: Hashable, Sendable {
    /// The connections that take the detour.
    public enum Scope: Hashable, Sendable {
        /// Connections to 127.0.0.0/8, which IPVS does not carry to other hosts. The other namespace sends them back,
        /// and they arrive like the connections of an ordinary client.
        case loopback
        /// Connections to any local address, because the IPVS services are in the other namespace.
        case everything
    }

    /// The connections that take the detour.
    public var scope: Scope
    /// The IPv4 address in the other namespace to which they are sent.
    public var address: IPAddress
    /// The interface through which they leave.
    public var interface: String

    /// A detour.
    public init(_ scope: Scope, to address: IPAddress, by interface: String) {
        self.scope = scope
        self.address = address
        self.interface = interface
    }
}

/// How a new connection to a published port is handled.
public struct PortRule: Hashable, Sendable {
    /// The mark that the connection gets. IPVS finds the service by it.
    public var mark: FirewallMark
    /// The networks from which clients may connect; nil for everywhere. Other connections are dropped and counted. One
    /// network may lie in another.
    public var allowed: Set<IPPrefix>?
    /// The port to which rules translate the first port of the binding before IPVS sees the packet; the ports of a
    /// range follow in order. Nil if IPVS translates the port.
    public var target: UInt16?
    /// Another published port that leads to the same port of the same tasks. Rules translate the binding to it, because
    /// IPVS would otherwise take two connections from one port of a client, one to each binding, for one connection. A
    /// backend translates as many ports as it can without getting slower.
    public var twin: UInt16?
    /// The families in which the mark has an IPVS service. The port is translated in these families only: in another
    /// family, IPVS leaves the packet to the node, where another program may listen on the translated port.
    public var families: Set<AddressFamily>

    /// By default connections are accepted from everywhere, and the mark has a service in both families.
    public init(
        mark: FirewallMark, allowed: Set<IPPrefix>? = nil, target: UInt16? = nil, twin: UInt16? = nil,
        families: Set<AddressFamily> = [.ipv4, .ipv6]
    ) {
        self.mark = mark
        self.allowed = allowed
        self.target = target
        self.twin = twin
        self.families = families
    }
}

/// Ports on which a task serves.
public struct TaskPorts: Hashable, Sendable {
    /// The task.
    public var task: IPAddress
    /// The protocol.
    public var transport: TransportProtocol
    /// The ports of the task itself, not the published ones.
    public var ports: ClosedRange<UInt16>

    /// Ports of a task.
    public init(_ task: IPAddress, _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>) {
        self.task = task
        self.transport = transport
        self.ports = ports
    }
}

/// The path of packets that IPVS balances by a mark to a task.
public struct BalancedPath: Hashable, Sendable {
    /// The mark of the published port.
    public var mark: FirewallMark
    /// The task.
    public var task: IPAddress

    /// A path.
    public init(_ mark: FirewallMark, to task: IPAddress) {
        self.mark = mark
        self.task = task
    }
}
