import IPVSKit
import MeshKit
import RuleKit

/// A published port as commands print it in JSON. The fields are documented in docs/json.md, and stay as they are
/// whatever becomes of the state's documents.
struct PortFields: Encodable {
    private let port: PublishedPort

    init(_ port: PublishedPort) { self.port = port }

    private enum Key: String, CodingKey {
        case target, mark, stickySeconds, allowed, sourceIP, drainSeconds, maxConnections, source
    }

    /// Leaves out what is as it is by default.
    func encode(to encoder: any Encoder) throws {
        try BindingFields(port.listening).encode(to: encoder)
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(port.target, forKey: .target)
        try container.encode(port.mark.rawValue, forKey: .mark)
        try container.encodeIfPresent(port.stickySeconds, forKey: .stickySeconds)
        if !port.allowed.isEmpty { try container.encode(port.allowed.map(\.description), forKey: .allowed) }
        if port.sourceIP != .auto { try container.encode(port.sourceIP.rawValue, forKey: .sourceIP) }
        try container.encodeIfPresent(port.drain.seconds, forKey: .drainSeconds)
        try container.encodeIfPresent(port.maxConnections, forKey: .maxConnections)
        try container.encodeIfPresent(port.origin?.description, forKey: .source)
    }
}

/// The ports that clients connect to, as commands print them in JSON.
struct BindingFields: Codable {
    let binding: PortBinding

    init(_ binding: PortBinding) { self.binding = binding }

    private enum Key: String, CodingKey { case port, lastPort, address, transport }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(binding.ports.lowerBound, forKey: .port)
        if binding.isRange { try container.encode(binding.ports.upperBound, forKey: .lastPort) }
        try container.encodeIfPresent(binding.address, forKey: .address)
        try container.encode(binding.transport.description, forKey: .transport)
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let first = try container.decode(UInt16.self, forKey: .port)
        let last = try container.decodeIfPresent(UInt16.self, forKey: .lastPort) ?? first
        let name = try container.decode(String.self, forKey: .transport)
        guard first > 0, first <= last, let transport = TransportProtocol.balanced.first(where: { "\($0)" == name })
        else {
            throw DecodingError.dataCorruptedError(forKey: .port, in: container, debugDescription: "no published port")
        }
        let address = try container.decodeIfPresent(IPAddress.self, forKey: .address)
        binding = PortBinding(first...last, transport, at: address)
    }
}

/// A task as `service inspect` and `service ls` print it in JSON.
struct TaskFields: Encodable {
    var address: IPAddress
    var weight: UInt32
    /// Whether the task drains: it gets no new connections, whatever its weight.
    var draining: Bool
    /// Whether the task's source says that it cannot serve.
    var unhealthy: Bool
    /// Whether the task has less than its share of new connections on this node, since it is new or was not healthy.
    var startingSlowly: Bool
    /// Who has found the task: `docker@node1`; nil for one of the operator's.
    var source: String?
    /// Whether the task is behind this node.
    var local: Bool
    /// The name of the node that the task is behind or on; nil if nobody said.
    var node: String?
    /// Nil for a task that the host's routes reach.
    var attachment: AttachmentFields?

    init(_ task: SpecTask, of service: String, in saved: SavedMesh) {
        address = task.address
        weight = task.weight
        draining = task.isDraining
        unhealthy = task.isUnhealthy
        startingSlowly = saved.isStarting(task, of: service)
        source = task.origin?.description
        local = task.node == saved.node
        node = task.node
        attachment = AttachmentFields(task)
    }
}

/// What joins a task to networks, as commands print it.
struct AttachmentFields: Encodable {
    /// The file of the task's network namespace.
    var namespace: String
    /// The name of the container whose namespace it is; nil if it was not named by a container.
    var container: String?
    /// The task's addresses by the network's name.
    var networks: [String: [IPAddress]]
    /// The task's addresses on the gateway bridge of its node.
    var gatewayAddresses: [IPAddress]

    /// Nil for a task that is not attached.
    init?(_ task: SpecTask) {
        guard let attachment = task.attachment else { return nil }
        namespace = attachment.namespace
        container = attachment.container
        networks = attachment.addresses
        gatewayAddresses = attachment.gatewayAddresses
    }

    /// The names of the networks, `ingress` first.
    var names: [String] { networks.keys.ingressFirst }
}

extension AttachmentFields {
    /// `ingress 10.255.0.4,fd25::4  back 10.0.1.5`.
    var words: String {
        names.map { "\($0) \(networks[$0]!.map(\.description).joined(separator: ","))" }.joined(separator: "  ")
    }
}

extension AttachmentFields? {
    /// A line for each network, with the addresses.
    var lines: [String] {
        guard let self else { return [] }
        return TextTable(
            columns: [.init(title: "NETWORK"), .init(title: "ADDRESSES")],
            rows: self.names.map { [$0, self.networks[$0]!.map(\.description).joined(separator: ",")] }
        ).render()
    }
}

/// The address of a service on a network, as `service inspect` and `service ls` print it in JSON.
struct VirtualAddressFields: Encodable {
    var addresses: [IPAddress]
    var mark: UInt32

    init(_ virtual: VirtualAddress) {
        addresses = virtual.addresses
        mark = virtual.mark.rawValue
    }
}
