public import IPVSKit
public import RuleKit

/// A mesh as a file describes it: everything that `meshctl export` writes, or a part of it that somebody wrote by hand.
///
/// A file of `meshctl export` says its generation, and describes the whole mesh. A file without a generation describes
/// parts; what it leaves out of a part stays as it is, or is allocated.
public struct MeshFile: Sendable {
    /// The name of the file in messages.
    public var name: String
    /// The generation of the mesh that was exported (``MeshSpec/meshGeneration``); nil for a file written by hand.
    public var generation: UInt64?
    /// The edits of the exported mesh by the nodes that made them (``MeshSpec/edits``); empty if the file does not say them.
    public var edits = EditVector()
    /// The nodes by name; nil if the file has no such section.
    public var nodes: [String: Node]?
    /// The networks by name; nil if the file has no such section.
    public var networks: [String: Network]?
    /// The services by name; nil if the file has no such section.
    public var services: [String: Service]?
    /// Where the parts of the mesh stand in the file.
    var positions: [SpecPath: Position] = [:]

    init(name: String) { self.name = name }

    /// A place in the file, counted from 1.
    struct Position: Hashable, Sendable, Comparable {
        var line: Int
        var column: Int

        static let beginning = Self(line: 1, column: 1)

        static func < (lhs: Self, rhs: Self) -> Bool { (lhs.line, lhs.column) < (rhs.line, rhs.column) }
    }

    /// A node. What is nil was not said.
    public struct Node: Hashable, Sendable {
        /// The address at which the other nodes reach it.
        public var address: IPAddress?
        /// Its number.
        public var number: Int?
        /// The subnets of its gateway bridge.
        public var gatewaySubnets: [IPPrefix]?
        /// Whether its kernel has conntrack zones.
        public var hasZones: Bool?
    }

    /// A network. What is nil was not said.
    public struct Network: Hashable, Sendable {
        /// The VXLAN network identifier (VNI).
        public var identifier: UInt32?
        /// The UDP port of encapsulated packets.
        public var port: UInt16?
        /// The subnets.
        public var subnets: [IPPrefix]?
        /// The addresses of the nodes' balancers, by the node's name.
        public var balancers: [String: [IPAddress]]?
    }

    /// A service. What is nil was not said.
    public struct Service: Hashable, Sendable {
        /// How connections are spread over the tasks.
        public var scheduler: Scheduler?
        /// The chosen balancer.
        public var balancing: Balancing?
        /// The published ports.
        public var ports: [Port] = []
        /// The tasks.
        public var tasks: [Task] = []
        /// The addresses on user networks, by the network's name.
        public var virtualAddresses: [String: Virtual] = [:]
        /// The health check, or none; nil if it was not said.
        public var healthCheck: HealthCheck??
        /// For how many seconds tasks start slowly; 0 for not at all, and nil if it was not said.
        public var slowStartSeconds: UInt32?
        /// Who has made the service; nil for one of the operator's.
        public var origin: Origin?
    }

    /// A published port. What is nil was not said.
    public struct Port: Hashable, Sendable {
        /// Where the mesh answers.
        public var listening: PortBinding
        /// The port in the task; of a range the first.
        public var target: UInt16
        /// The firewall mark.
        public var mark: FirewallMark?
        /// For how many seconds a client goes to the same task; 0: not at all.
        public var stickySeconds: UInt32?
        /// The networks from which clients may connect; empty: everywhere.
        public var allowed: [IPPrefix]?
        /// Whose address tasks see.
        public var sourceIP: SourceIP?
        /// How long open connections go on when their task or the port leaves.
        public var drain: DrainLimit?
        /// The number of connections from which on a task gets no new ones; 0: no limit.
        public var maxConnections: UInt32?
        /// Who has published the port; nil for one of the operator's.
        public var origin: Origin?
    }

    /// A task. What is nil was not said.
    public struct Task: Hashable, Sendable {
        /// The address, which only an attached task may leave out.
        public var address: IPAddress?
        /// The share of new connections.
        public var weight: UInt32?
        /// Whether the task drains.
        public var isDraining: Bool?
        /// Whether the task's source says that it cannot serve.
        public var isUnhealthy: Bool?
        /// Who has found the task; nil for one of the operator's.
        public var origin: Origin?
        /// The name of the task's node.
        public var node: String?
        /// What joins the task to networks; nil for a task that the host's routes reach.
        public var attachment: Attachment?
        /// The number of the task in the file, from 0.
        var index = 0
    }

    /// What joins a task to networks.
    public struct Attachment: Hashable, Sendable {
        /// The file of the task's network namespace.
        public var namespace: String
        /// The inode of the namespace.
        public var inode: UInt64?
        /// The name of the container whose namespace it is.
        public var container: String?
        /// The names of the networks; nil if they were not said.
        public var networks: [String]?
        /// The addresses by the network's name; nil if they were not said.
        public var addresses: [String: [IPAddress]]?
        /// The addresses on the gateway bridge of the node.
        public var gatewayAddresses: [IPAddress] = []
        /// The task's own addresses by which its default routes lead.
        public var defaultAddresses: [IPAddress] = []
    }

    /// The address of a service on a network.
    public struct Virtual: Hashable, Sendable {
        /// The addresses; nil if they were not said.
        public var addresses: [IPAddress]?
        /// The firewall mark; nil if it was not said.
        public var mark: FirewallMark?
    }
}

extension MeshFile {
    /// The position of a part, or of the smallest part around it that the file has; nil if the file does not have the
    /// node, the network or the service of which it is a part.
    func position(of path: SpecPath) -> Position? {
        var path: SpecPath? = path
        while let some = path, some.steps.count > 1 {
            if let found = positions[some] { return found }
            path = some.parent
        }
        return nil
    }

    /// The path to a task, also to one without an address.
    func path(of task: Task, in service: String) -> SpecPath {
        .task(task.address?.description ?? "\(task.index)", of: service)
    }

    /// An error at a part of the file.
    func error(at path: SpecPath, _ words: String) -> InputError {
        error(at: position(of: path) ?? positions[path], words)
    }

    func error(at position: Position?, _ words: String) -> InputError {
        InputError("\(name):" + (position.map { "\($0.line):\($0.column):" } ?? "") + " \(words)")
    }

    /// Adds the position of a part to the errors of the body.
    func placing<Value>(
        at path: SpecPath, _ body: () throws(InputError) -> Value
    ) throws(InputError) -> Value {
        do throws(InputError) {
            return try body()
        } catch {
            throw self.error(at: path, error.description)
        }
    }

    /// Refuses a spec that has faults. The first faults in the order of the file are listed, a line each.
    func refuse(_ faults: [SpecFault]) throws(InputError) {
        guard !faults.isEmpty else { return }
        let found = faults.map(place).sorted {
            ($0.position ?? .beginning, $0.words) < ($1.position ?? .beginning, $1.words)
        }
        let lines = found.prefix(10).map { error(at: $0.position, $0.words).description }
        let more = found.count > 10 ? ["and \(found.count - 10) more faults"] : []
        throw InputError(faults: lines + more)
    }

    /// Where a fault is in the file, and the fault in words from there: at the part that has it; if the file does not
    /// have that part, at the one that it does not fit; if the file has neither, as where it leaves out what is needed,
    /// at the section that lacks it.
    private func place(of fault: SpecFault) -> (position: Position?, words: String) {
        for sites in [fault.sites, fault.opposites] {
            let found = sites.compactMap { site in position(of: site.path).map { (position: $0, words: site.words) } }
            if let last = found.max(by: { $0.position < $1.position }) { return (last.position, last.words) }
        }
        for site in fault.opposites + fault.sites {
            guard let section = site.path.steps.first, let position = positions[SpecPath(section)] else { continue }
            return (position, site.words)
        }
        let sections = ["nodes", "networks", "services"].compactMap { positions[SpecPath($0)] }
        return (sections.min(), fault.sites[0].words)
    }
}
