public import IPVSKit
public import RuleKit

/// What the operator asked for, and what was allocated to do it: the whole of what the mesh remembers.
///
/// Nothing of the kernel's state is in here. What the kernel should hold follows from this value alone
/// (``Compiler``); what it does hold is read each time.
public struct MeshState: Equatable, Sendable, Codable {
    /// The layout of the document that this version reads and writes.
    public static let currentSchema = 2

    /// The layout of the document.
    public var schema = Self.currentSchema
    /// Counts the documents written; what a compare-and-swap compares.
    public var generation: UInt64 = 0
    /// The services by name.
    public var services: [String: Service] = [:]
    /// Marks of ports that are published no longer, whose IPVS services may still be in the kernel. They are
    /// ours until they are gone.
    public var retiringMarks: Set<FirewallMark> = []
    /// The values that sysctls had before the first write, for `reset`.
    public var originalSysctls: [Sysctl: String] = [:]
    /// How long IPVS remembered an idle TCP connection before the first write, in seconds, for `reset`.
    public var originalTCPTimeoutSeconds: UInt32?
    /// The ports that we put among those that the node does not take for its own connections
    /// (`ip_local_reserved_ports`), which others write, too.
    public var reservedPorts: [ClosedRange<UInt16>] = []
    /// Ports of bridges that we made turn packets back.
    public var hairpinPorts: Set<String> = []
    /// Connections to 127.0.0.1 are balanced; false where this host does not let us make what that takes.
    public var hasLoopback = true
    /// What carries the rules; nil before there were any.
    public var rules: RuleTool?
    /// What carried them before, until its own are gone.
    public var formerRules: RuleTool?
    /// Ports whose flows conntrack was to forget, until it has.
    public var staleFlows: Set<PortBinding> = []

    /// Nothing published.
    public init() {}

    /// A named set of tasks and the ports they are reached by.
    public struct Service: Equatable, Sendable, Codable {
        /// How connections are spread.
        public var scheduler: Scheduler = .roundRobin
        /// The ports the mesh answers on.
        public var ports: [PublishedPort] = []
        /// The backends.
        public var tasks: [MeshTask] = []
    }

    /// The marks that are ours, whether wanted or on their way out.
    public var ownedMarks: Set<FirewallMark> {
        retiringMarks.union(services.values.flatMap { $0.ports.map(\.mark) })
    }

    /// What may have left rules in the kernel that another tool than this does not see.
    func formerRules(besides tool: RuleTool) -> RuleTool? {
        [rules, formerRules].compactMap(\.self).first { $0 != tool }
    }

    /// Notes as ours what another state of this node notes of the kernel; what is asked for stays.
    mutating func takeOver(from other: MeshState) {
        retiringMarks = other.ownedMarks.subtracting(services.values.flatMap { $0.ports.map(\.mark) })
        originalSysctls = other.originalSysctls
        originalTCPTimeoutSeconds = other.originalTCPTimeoutSeconds
        reservedPorts = other.reservedPorts
        hairpinPorts = other.hairpinPorts
        staleFlows = other.staleFlows
        // Of two, what is not the one is the other.
        if let tool = rules ?? other.rules { formerRules = other.formerRules(besides: tool) }
    }

    /// Strikes out what is ours no longer, the kernel holding what it should.
    mutating func settle(_ datapath: Datapath) {
        retiringMarks = []
        hairpinPorts.formIntersection(datapath.hairpinPorts)
        staleFlows = []
        formerRules = nil
    }

    /// What is published of a protocol.
    func bindings(of transport: TransportProtocol) -> [PortBinding] {
        services.values.flatMap { $0.ports.map(\.listening).filter { $0.transport == transport } }
    }

    /// Whether connections to 127.0.0.1 go through a namespace of their own.
    var makesDetour: Bool { hasLoopback && services.values.contains { !$0.ports.isEmpty } }

    /// Addresses behind this node. One task that says so speaks for all that have its address: an address is
    /// behind this node or is not.
    public var localAddresses: Set<IPAddress> {
        Set(services.values.flatMap { $0.tasks.filter(\.isLocal).map(\.address) })
    }

    /// The service that has a port, and the port.
    public func publisher(of binding: PortBinding) -> (name: String, port: PublishedPort)? {
        publisher(where: { $0.listening == binding })
    }

    /// The first published port that satisfies a condition, and its service.
    func publisher(where isWanted: (PublishedPort) -> Bool) -> (name: String, port: PublishedPort)? {
        for (name, service) in services {
            if let found = service.ports.first(where: isWanted) { return (name, found) }
        }
        return nil
    }
}

/// One running backend of a service.
public struct MeshTask: Hashable, Sendable, Codable {
    /// Where it is reached.
    public var address: IPAddress
    /// Its share of new connections; 0 takes none and keeps those it has.
    public var weight: UInt32 = 1
    /// Its replies come back by this node: its packets keep the client's address.
    public var isLocal = false

    private enum CodingKeys: String, CodingKey {
        case address, weight
        case isLocal = "local"
    }

    /// A task of weight 1 somewhere else, unless said otherwise.
    public init(address: IPAddress, weight: UInt32 = 1, isLocal: Bool = false) {
        self.address = address
        self.weight = weight
        self.isLocal = isLocal
    }
}
