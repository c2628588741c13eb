public import IPVSKit
public import RuleKit

/// A port, or a range of ports, the mesh answers on.
public struct PublishedPort: Hashable, Sendable {
    /// What clients connect to.
    public var listening: PortBinding
    /// The port in the task; for a range the first one, the others follow in order.
    public var target: UInt16
    /// What carries the choice of service from the rules to IPVS; both families share it.
    public var mark: FirewallMark
    /// How long after its last connection a client goes to the task it had, in seconds; nil: no longer than a connection
    /// lasts.
    public var stickySeconds: UInt32?
    /// Where clients may come from; empty: everywhere.
    public var allowed: [IPPrefix] = []
    /// Whose address tasks see.
    public var sourceIP = SourceIP.auto

    /// A port for everybody, each connection by itself, unless said otherwise.
    public init(
        listening: PortBinding, target: UInt16, mark: FirewallMark, stickySeconds: UInt32? = nil,
        allowed: [IPPrefix] = [], sourceIP: SourceIP = .auto
    ) {
        self.listening = listening
        self.target = target
        self.mark = mark
        self.stickySeconds = stickySeconds
        self.allowed = allowed
        self.sourceIP = sourceIP
    }

    /// Whether a task can have connections to it: of the family of the address that it is bound to, if it is.
    public func isFor(_ task: SpecTask) -> Bool { listening.address.map { $0.family == task.address.family } ?? true }

    /// Whether a task sees an address of the node instead of the client's.
    ///
    /// - Parameters:
    ///   - local: the addresses behind this node.
    ///   - own: the node's own addresses. What is sent to those does not leave it.
    public func hidesClient(from task: IPAddress, local: Set<IPAddress>, own: Set<IPAddress>) -> Bool {
        switch sourceIP {
        case .auto: !local.contains(task) && !own.contains(task)
        case .keep: false
        case .nat: !own.contains(task)
        }
    }

    /// The ports in the task.
    public var targets: ClosedRange<UInt16> { target...(target + UInt16(listening.ports.count - 1)) }

    /// Whether clients and tasks have the same numbers.
    public var isShifted: Bool { target != listening.ports.lowerBound }
}

/// Whose address a task sees as the source of what it gets.
public enum SourceIP: String, Hashable, Sendable, CaseIterable, Codable {
    /// The client's, where replies come back by this node; else the node's.
    case auto
    /// The client's. Replies must come back by this node, or connections hang.
    case keep
    /// The node's.
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
        case port, lastPort, address, transport, target, mark, stickySeconds, allowed, sourceIP
    }

    /// Refuses a port 0, and a range that is none, which no part of the mesh can handle. What is not there is as it was
    /// before there was a choice.
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
    }

    /// One flat object; what is as it is by default is left out. Numbers and text rather than values that encode
    /// themselves as such: with thousands of ports, a quarter of the time that saving takes.
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
    }
}
