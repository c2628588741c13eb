public import IPVSKit
public import RuleKit

/// What the operator asked for, with the firewall marks that were allocated for it.
///
/// The spec is the same on every node. What one node has put into its kernel stands in that node's ``Ledger``.
public struct MeshSpec: Equatable, Sendable {
    /// The layout of the document that this version writes. Layouts 1 and 2 contained the ledger, too
    /// (``LegacyDocument``).
    public static let currentSchema = 3

    /// The number of writes until now, which a compare-and-swap compares. The store counts it, not the edit.
    public var generation: UInt64 = 0
    /// The services by name.
    public var services: [String: Service] = [:]

    /// A spec that asks for nothing.
    public init() {}

    /// A named set of tasks, and the ports through which they are reached.
    public struct Service: Equatable, Sendable, Codable {
        /// How connections are spread over the tasks.
        public var scheduler: Scheduler = .roundRobin
        /// The ports that the mesh answers on, in order.
        public var ports: [PublishedPort] = []
        /// The tasks, sorted by address.
        public var tasks: [SpecTask] = []

        /// A service without ports and tasks.
        public init() {}
    }

    /// The marks of all published ports.
    public var marks: Set<FirewallMark> {
        Set(services.values.lazy.flatMap(\.ports).map(\.mark))
    }

    /// The published ports of one transport protocol.
    func bindings(of transport: TransportProtocol) -> [PortBinding] {
        services.values.flatMap { $0.ports.map(\.listening).filter { $0.transport == transport } }
    }

    /// The addresses of the tasks that are behind a node. A task that names the node speaks for every task with its
    /// address, since an address either is behind a node or is not.
    public func localAddresses(on node: String) -> Set<IPAddress> {
        Set(services.values.lazy.flatMap(\.tasks).filter { $0.node == node }.map(\.address))
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
