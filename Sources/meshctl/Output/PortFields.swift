import IPVSKit
import MeshKit
import RuleKit

/// A published port as commands print it in JSON. The fields are documented in docs/json.md, and stay as they are
/// whatever becomes of the state's documents.
struct PortFields: Encodable {
    private let port: PublishedPort

    init(_ port: PublishedPort) { self.port = port }

    private enum Key: String, CodingKey {
        case port, lastPort, address, transport, target, mark, stickySeconds, allowed, sourceIP
    }

    /// Leaves out what is as it is by default.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        let listening = port.listening
        try container.encode(listening.ports.lowerBound, forKey: .port)
        if listening.isRange { try container.encode(listening.ports.upperBound, forKey: .lastPort) }
        try container.encodeIfPresent(listening.address, forKey: .address)
        try container.encode(listening.transport.description, forKey: .transport)
        try container.encode(port.target, forKey: .target)
        try container.encode(port.mark.rawValue, forKey: .mark)
        try container.encodeIfPresent(port.stickySeconds, forKey: .stickySeconds)
        if !port.allowed.isEmpty { try container.encode(port.allowed.map(\.description), forKey: .allowed) }
        if port.sourceIP != .auto { try container.encode(port.sourceIP.rawValue, forKey: .sourceIP) }
    }
}

/// A task as `service inspect` and `service ls` print it in JSON.
struct TaskFields: Encodable {
    var address: IPAddress
    var weight: UInt32
    /// Whether the task is behind this node.
    var local: Bool

    init(_ task: SpecTask, on node: String) {
        address = task.address
        weight = task.weight
        local = task.node == node
    }
}
