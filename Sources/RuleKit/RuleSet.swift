public import IPVSKit

/// What the rules of one namespace are to do. Says nothing of how: that is a ``RuleBackend``'s.
public struct RuleSet: Hashable, Sendable {
    /// What the namespace is.
    public var role: RuleRole
    /// What happens to new connections to published ports.
    public var ports: [PortBinding: PortRule] = [:]
    /// New connections to these addresses, on whichever port, get the mark.
    public var virtualAddresses: [IPAddress: FirewallMark] = [:]
    /// Balanced packets with this mark to this task leave with the node's own address as their source, because
    /// replies would else not come back by the node.
    public var masqueraded: Set<BalancedPath> = []
    /// Balanced packets from one of these networks back into the same are masqueraded, too: the task would answer its
    /// neighbour directly, and itself never. A task alone is a network as well. One may lie in another.
    public var hairpins: Set<IPPrefix> = []
    /// Replies from here are let through the forward chain, whatever its policy, where rules can do that.
    public var tasks: Set<IPAddress> = []
    /// Where answers come from. What comes from there for the node itself, and is part of no connection that conntrack
    /// could place it in, is dropped: the node would reset the task's connection. No two overlap.
    public var answering: Set<TaskPorts> = []

    /// Rules that do nothing yet.
    public init(role: RuleRole = .balancer(detour: nil)) { self.role = role }

    /// Whether there is nothing to do: then a namespace needs no rules at all.
    public var isEmpty: Bool {
        if case .turnaround = role { return false }
        return ports.isEmpty && virtualAddresses.isEmpty && tasks.isEmpty
    }
}

/// What a namespace is to the mesh.
public enum RuleRole: Hashable, Sendable {
    /// The services are here: published ports are marked, and IPVS takes it from there. What it cannot take makes a
    /// detour.
    case balancer(detour: Detour?)
    /// The other end of a detour: whatever comes from `node` is sent back to it, from another address.
    case turnaround(node: IPAddress)
}

/// New connections to published ports that go through another namespace first: they leave by DNAT, the port unchanged.
public struct Detour: Hashable, Sendable {
    /// Which of them.
    public enum Scope: Hashable, Sendable {
        /// Those to 127.0.0.0/8, which IPVS does not carry elsewhere: the other namespace turns them around, and they
        /// come back as an ordinary client's.
        case loopback
        /// Those to any local address: the services are in the other namespace.
        case everything
    }

    /// Which connections.
    public var scope: Scope
    /// Where they go, IPv4.
    public var address: IPAddress
    /// The interface they leave by.
    public var interface: String

    /// A detour.
    public init(_ scope: Scope, to address: IPAddress, by interface: String) {
        self.scope = scope
        self.address = address
        self.interface = interface
    }
}

/// What happens to a new connection to a published port.
public struct PortRule: Hashable, Sendable {
    /// The mark it gets, by which IPVS finds the service.
    public var mark: FirewallMark
    /// Where it may come from; nil for everywhere. Others are dropped, and counted. One may lie in another.
    public var allowed: Set<IPPrefix>?
    /// The port it is translated to before IPVS sees it, for the first port of a range; the others follow in order. Nil
    /// where IPVS translates it.
    public var target: UInt16?
    /// The port that IPVS is to see it as, because it leads to the same port of the same tasks: it takes two connections
    /// from one port of a client for one. A backend does this for as many ports as it can without getting slower.
    public var twin: UInt16?
    /// The families that the mark has a service in. The port is translated in these alone: in another, IPVS leaves the
    /// packet to the node, which may have a program of its own at the port it was translated to.
    public var families: Set<AddressFamily>

    /// A mark, for connections from everywhere, in both families, unless said otherwise.
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

/// Ports that a task serves at.
public struct TaskPorts: Hashable, Sendable {
    /// The task.
    public var task: IPAddress
    /// The protocol.
    public var transport: TransportProtocol
    /// Its own ports.
    public var ports: ClosedRange<UInt16>

    /// Ports of a task.
    public init(_ task: IPAddress, _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>) {
        self.task = task
        self.transport = transport
        self.ports = ports
    }
}

/// What was balanced by a mark, to a task.
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
