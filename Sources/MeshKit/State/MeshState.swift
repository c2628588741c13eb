public import IPVSKit
public import RuleKit

/// What the operator asked for, and what was allocated to do it: the whole of what the mesh remembers.
///
/// Nothing of the kernel's state is in here. What the kernel should hold follows from this value alone
/// (``Compiler``); what it does hold is read each time.
public struct MeshState: Equatable, Sendable, Codable {
    /// The layout of the document that this version reads and writes.
    public static let currentSchema = 1

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

    /// Addresses behind this node. One task that says so speaks for all that have its address: an address is
    /// behind this node or is not.
    public var localAddresses: Set<IPAddress> {
        Set(services.values.flatMap { $0.tasks.filter(\.isLocal).map(\.address) })
    }

    /// The service that has a port, and the port.
    public func publisher(of port: TransportPort) -> (name: String, port: PublishedPort)? {
        for (name, service) in services {
            if let found = service.ports.first(where: { $0.listening == port }) { return (name, found) }
        }
        return nil
    }
}

/// A port the mesh answers on.
public struct PublishedPort: Hashable, Sendable {
    /// What clients connect to.
    public var listening: TransportPort
    /// The port in the task.
    public var target: UInt16
    /// What carries the choice of service from the rules to IPVS; both families share it.
    public var mark: FirewallMark
}

extension PublishedPort: CustomStringConvertible {
    /// `1080->80/tcp`.
    public var description: String { "\(listening.port)->\(target)/\(listening.transport)" }
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

extension PublishedPort: Codable {
    private enum Key: String, CodingKey {
        case port, transport, target, mark
    }

    /// Refuses a port 0, which no part of the mesh can handle.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let port = try container.decode(UInt16.self, forKey: .port)
        target = try container.decode(UInt16.self, forKey: .target)
        mark = try container.decode(FirewallMark.self, forKey: .mark)
        guard port != 0, target != 0 else {
            throw DecodingError.dataCorruptedError(forKey: .port, in: container, debugDescription: "0 is no port")
        }
        listening = TransportPort(port, try container.decode(TransportProtocol.self, forKey: .transport))
    }

    /// One flat object.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(listening.port, forKey: .port)
        try container.encode(listening.transport, forKey: .transport)
        try container.encode(target, forKey: .target)
        try container.encode(mark, forKey: .mark)
    }
}
