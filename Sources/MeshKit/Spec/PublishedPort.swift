public import IPVSKit
public import RuleKit

/// A port, or a range of ports, on which the mesh answers.
public struct PublishedPort: Hashable, Sendable {
    /// The protocol, the ports and perhaps the address to which clients connect.
    public var listening: PortBinding
    /// The target port in the task. For a range, it is the first port, and the others follow in order.
    public var target: UInt16
    /// The firewall mark by which IPVS finds the service. Both families share it.
    public var mark: FirewallMark
    /// For how many seconds after its last connection a client goes to the same task. Nil: each connection is scheduled
    /// by itself.
    public var stickySeconds: UInt32?
    /// The networks from which clients may connect; empty: everywhere.
    public var allowed: [IPPrefix] = []
    /// Whose address tasks see as the source.
    public var sourceIP = SourceIP.auto
    /// How long open connections go on when their task or the port leaves, or when the port gets another path.
    public var drain = DrainLimit.unlimited
    /// The number of connections from which on a task gets no new ones by this port; nil: no limit. The kernel counts
    /// the connections that it remembers, closed ones included.
    public var maxConnections: UInt32?
    /// Who has published the port; nil for one of the operator's.
    public var origin: Origin?

    /// A port that is open to everybody and schedules each connection by itself, unless the arguments say otherwise.
    public init(
        listening: PortBinding, target: UInt16, mark: FirewallMark, stickySeconds: UInt32? = nil,
        allowed: [IPPrefix] = [], sourceIP: SourceIP = .auto, drain: DrainLimit = .unlimited,
        maxConnections: UInt32? = nil
    ) {
        self.listening = listening
        self.target = target
        self.mark = mark
        self.stickySeconds = stickySeconds
        self.allowed = allowed
        self.sourceIP = sourceIP
        self.drain = drain
        self.maxConnections = maxConnections
    }

    /// Whether the port can lead to a task. A port that is bound to an address leads only to tasks of the same family.
    public func isFor(_ task: SpecTask) -> Bool { listening.address.map { $0.family == task.address.family } ?? true }

    /// Whether a task sees an address of the node instead of the client's.
    ///
    /// - Parameters:
    ///   - local: the addresses behind this node.
    ///   - own: the node's own addresses. Packets to these addresses do not leave the node.
    public func hidesClient(from task: IPAddress, local: Set<IPAddress>, own: Set<IPAddress>) -> Bool {
        switch sourceIP {
        case .auto: !local.contains(task) && !own.contains(task)
        case .keep: false
        case .nat: !own.contains(task)
        }
    }

    /// The ports in the task.
    public var targets: ClosedRange<UInt16> { target...(target + UInt16(listening.ports.count - 1)) }

    /// The port of the IPVS destinations. A range has port 0, with which IPVS keeps the packet's port.
    var destinationPort: UInt16 { listening.isRange ? 0 : target }

    /// The port as the sandbox knows it: the node has checked the address at which the client came, and whether the
    /// client may connect, and has put the sandbox's address of the same family in the place of its own.
    var inSandbox: Self {
        var port = self
        let address = listening.address.flatMap { own in
            SandboxLink.addresses.place.map(\.address).first { $0.family == own.family }
        }
        port.listening = PortBinding(listening.ports, listening.transport, at: address)
        port.allowed = []
        return port
    }

    /// Whether clients and tasks use different port numbers.
    public var isShifted: Bool { target != listening.ports.lowerBound }
}

/// Whose address a task sees as the source of its packets.
public enum SourceIP: String, Hashable, Sendable, CaseIterable, Codable {
    /// The client's address if replies come back through this node; else an address of the node.
    case auto
    /// The client's address. Replies must come back through this node, or connections hang.
    case keep
    /// An address of the node.
    case nat
}

extension PublishedPort: CustomStringConvertible {
    /// `1080->80/tcp`, `192.168.5.1:1000-1010->2000-2010/udp`.
    public var description: String {
        let text = listening.description
        let cut = text.lastIndex(of: "/")!
        return "\(text[..<cut])->\(PortBinding.text(of: targets))\(text[cut...])"
    }
}

extension PublishedPort: Codable {
    private enum Key: String, CodingKey {
        case port, lastPort, address, transport, target, mark, stickySeconds, allowed, sourceIP, drainSeconds,
            maxConnections, source
    }

    /// Refuses port 0 and invalid ranges, which no part of the mesh can handle. A missing field has the value from the
    /// time before the field existed.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let port = try container.decode(UInt16.self, forKey: .port)
        let last = try container.decodeIfPresent(UInt16.self, forKey: .lastPort) ?? port
        target = try container.decode(UInt16.self, forKey: .target)
        mark = try container.decode(FirewallMark.self, forKey: .mark)
        guard port != 0, target != 0, port <= last, Int(target) + Int(last - port) <= UInt16.max else {
            throw DecodingError.dataCorruptedError(
                forKey: .port, in: container, debugDescription: "\(port)-\(last) to \(target) are no ports")
        }
        let transport = try container.decode(TransportProtocol.self, forKey: .transport)
        guard TransportProtocol.balanced.contains(transport) else {
            throw DecodingError.dataCorruptedError(
                forKey: .transport, in: container, debugDescription: "\(transport) is no protocol of ports")
        }
        listening = PortBinding(
            port...last, transport, at: try container.decodeIfPresent(IPAddress.self, forKey: .address))
        stickySeconds = try container.decodeIfPresent(UInt32.self, forKey: .stickySeconds)
        allowed = try container.decodeIfPresent([IPPrefix].self, forKey: .allowed) ?? []
        sourceIP = try container.decodeIfPresent(SourceIP.self, forKey: .sourceIP) ?? .auto
        drain = DrainLimit(seconds: try container.decodeIfPresent(UInt32.self, forKey: .drainSeconds))
        maxConnections = try container.decodeIfPresent(UInt32.self, forKey: .maxConnections)
        origin = try container.decodeIfPresent(Origin.self, forKey: .source)
    }

    /// Writes one flat object without fields that have their default values. Numbers and texts are written directly
    /// instead of by values that encode themselves: with thousands of ports, this saves a quarter of the time.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(listening.ports.lowerBound, forKey: .port)
        if listening.isRange { try container.encode(listening.ports.upperBound, forKey: .lastPort) }
        try container.encodeIfPresent(listening.address, forKey: .address)
        try container.encode(listening.transport.description, forKey: .transport)
        try container.encode(target, forKey: .target)
        try container.encode(mark.rawValue, forKey: .mark)
        try container.encodeIfPresent(stickySeconds, forKey: .stickySeconds)
        if !allowed.isEmpty { try container.encode(allowed, forKey: .allowed) }
        if sourceIP != .auto { try container.encode(sourceIP, forKey: .sourceIP) }
        try container.encodeIfPresent(drain.seconds, forKey: .drainSeconds)
        try container.encodeIfPresent(maxConnections, forKey: .maxConnections)
        try container.encodeIfPresent(origin, forKey: .source)
    }
}
