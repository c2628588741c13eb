public import IPVSKit
public import RuleKit

/// What the operator asked for, with the firewall marks that were allocated for it.
///
/// The spec is the same on every node. What one node has put into its kernel stands in that node's ``Ledger``.
public struct MeshSpec: Equatable, Sendable {
    /// The layout of the document that this version writes. Layout 3 had neither nodes nor networks; layouts 1 and 2
    /// contained the ledger, too (``LegacyDocument``).
    public static let currentSchema = 4
    /// The layouts that this version reads.
    static let readableSchemas = 3...4
    /// The latest generation that a document may have: more edits than anybody makes, and a number that all readers of
    /// JSON know exactly.
    static let latestGeneration: UInt64 = 1 << 53

    /// The number of writes until now, which a compare-and-swap compares. The store counts it, not the edit.
    public var generation: UInt64 = 0
    /// The number of edits of the mesh until now, on whichever node they were made.
    ///
    /// It is what ``generation`` cannot be: each store counts its own writes, and the stores of two nodes count
    /// differently. An edit by ``Mesh`` counts it up. A file of `meshctl export` carries it, and the node on which the
    /// file is applied takes it over. Two nodes on which the mesh was edited independently may have the same number for
    /// different meshes; ``edits`` tells these apart.
    public var meshGeneration: UInt64 = 0
    /// The same edits by the node on which each was made. A file of `meshctl export` carries them, too, so that a file is
    /// recognised that lacks an edit of the present mesh. Empty for a mesh that was last edited by a version of meshctl
    /// that did not count so.
    public var edits = EditVector()
    /// The services by name.
    public var services: [String: Service] = [:]
    /// The nodes by name.
    public var nodes: [String: MeshNode] = [:]
    /// The overlay networks by name.
    public var networks: [String: MeshNetwork] = [:]
    /// The attached tasks that have left the mesh and still have connections on this node. Nobody else gets their
    /// addresses, and a task that comes back has its own again. Known while a spec is edited; never saved.
    var leaving: [SpecTask] = []
    /// The attached tasks that this edit may remove, and which may have connections. Their addresses are given only if no
    /// other is free.
    var replaceable: [SpecTask] = []

    /// A spec that asks for nothing.
    public init() {}

    /// A named set of tasks, and the ports through which they are reached.
    public struct Service: Equatable, Sendable {
        /// How connections are spread over the tasks.
        public var scheduler: Scheduler = .roundRobin
        /// The ports that the mesh answers on, in order.
        public var ports: [PublishedPort] = []
        /// The tasks, sorted by address.
        public var tasks: [SpecTask] = []
        /// The balancer that the operator chose; nil if the tasks decide.
        public var chosenBalancing: Balancing?
        /// The user networks that the service is on, and its addresses there, by the network's name.
        public var virtualAddresses: [String: VirtualAddress] = [:]
        /// How it is found out whether tasks can serve; nil if nobody asks them.
        public var healthCheck: HealthCheck?
        /// For how many seconds a task that is new or healthy again has less than its share of new connections; nil if it
        /// has all of it at once.
        public var slowStartSeconds: UInt32?
        /// Who has made the service; nil for one of the operator's. A found service leaves with its last part.
        public var origin: Origin?

        /// The balancer that serves the published ports.
        public var balancing: Balancing {
            chosenBalancing ?? (tasks.contains { $0.attachment != nil } ? .ingress : .host)
        }

        /// Whether tasks of the service are said not to be healthy, and all others, too, if there are any. Then all of
        /// them are used, since the fault is probably elsewhere, and a task that may answer is better than none.
        public var isInPanic: Bool {
            tasks.contains(where: \.isUnhealthy)
                && !tasks.contains { !$0.isUnhealthy && !$0.isDraining && $0.weight > 0 }
        }

        /// The tasks as balancers take them: one that is not healthy drains, unless no task is.
        package var balancedTasks: [SpecTask] {
            guard tasks.contains(where: \.isUnhealthy), !isInPanic else { return tasks }
            return tasks.map { task in
                var task = task
                task.isDraining = task.isDraining || task.isUnhealthy
                return task
            }
        }

        /// A service without ports and tasks.
        public init() {}
    }

    /// The marks of all published ports and virtual addresses.
    public var marks: Set<FirewallMark> {
        Set(services.values.lazy.flatMap { $0.ports.map(\.mark) + $0.virtualAddresses.values.map(\.mark) })
    }

    /// Whether a balancer serves any published port.
    func publishes(by balancing: Balancing) -> Bool {
        services.values.contains { $0.balancing == balancing && !$0.ports.isEmpty }
    }

    /// The services whose published ports a balancer serves.
    func services(by balancing: Balancing) -> [Service] { services.values.filter { $0.balancing == balancing } }

    /// The published ports of one transport protocol.
    func bindings(of transport: TransportProtocol) -> [PortBinding] {
        services.values.flatMap { $0.ports.map(\.listening).filter { $0.transport == transport } }
    }

    /// The addresses of the tasks that are behind a node, by the host's routes. A task that names the node speaks for
    /// every task with its address, since an address either is behind a node or is not. Attached tasks are on networks.
    public func localAddresses(on node: String) -> Set<IPAddress> {
        let tasks = services.values.lazy.flatMap(\.tasks)
        return Set(tasks.filter { $0.node == node && $0.attachment == nil }.map(\.address))
    }

    /// The published port with this binding, and the name of its service. Nil if nothing is published there.
    public func publisher(of binding: PortBinding) -> (name: String, port: PublishedPort)? {
        publisher(where: { $0.listening == binding })
    }

    /// The first published port that satisfies a condition, and the name of its service.
    func publisher(where isWanted: (PublishedPort) -> Bool) -> (name: String, port: PublishedPort)? {
        for (name, service) in services {
            if let found = service.ports.first(where: isWanted) { return (name, found) }
        }
        return nil
    }
}
