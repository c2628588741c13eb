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
    /// The networks of this node whose members reach the sandbox (``IngressPath``) with the node's address as their
    /// source, because the sandbox's replies would not come back through the node otherwise. One network may lie in
    /// another.
    public var insiders: Set<IPPrefix> = []
    /// The task ports that answer. A packet from one of them to the node itself that conntrack cannot assign to a
    /// connection is dropped; otherwise the node would reset the task's connection. No two entries overlap.
    public var answering: Set<TaskPorts> = []

    /// The owner that the rules in the kernel are to carry; nil if they are to carry none.
    public var owner: RuleOwner?

    /// Rules without any content.
    public init(role: RuleRole = .balancer(detour: nil)) { self.role = role }

    /// Whether the rules do nothing, so that the namespace needs none.
    public var isEmpty: Bool {
        switch role {
        case .turnaround, .task, .passage, .balancer(_, ingress: _?, _, _): return false
        case .balancer: break
        }
        return ports.isEmpty && virtualAddresses.isEmpty && tasks.isEmpty
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
    /// Whether the IPVS services are in the sandbox: the connection is sent there (``IngressPath``) instead of being
    /// balanced here. The sandbox translates the port, if rules do.
    public var isElsewhere: Bool

    /// By default connections are accepted from everywhere, the mark has a service in both families, and the services
    /// are in this namespace.
    public init(
        mark: FirewallMark, allowed: Set<IPPrefix>? = nil, target: UInt16? = nil, twin: UInt16? = nil,
        families: Set<AddressFamily> = [.ipv4, .ipv6], isElsewhere: Bool = false
    ) {
        self.mark = mark
        self.allowed = allowed
        self.target = target
        self.twin = twin
        self.families = families
        self.isElsewhere = isElsewhere
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
