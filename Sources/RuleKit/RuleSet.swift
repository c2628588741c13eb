public import IPVSKit

/// What the rules of a balancer's namespace are to do. Says nothing of how: that is a ``RuleBackend``'s.
public struct RuleSet: Hashable, Sendable {
    /// New connections to a local address and such a port get the mark that IPVS finds the service by.
    public var marks: [TransportPort: FirewallMark]
    /// The addresses that a rule looks up.
    public var addresses: [AddressList: Set<IPAddress>]

    /// Rules that do nothing, unless said otherwise.
    public init(marks: [TransportPort: FirewallMark] = [:], addresses: [AddressList: Set<IPAddress>] = [:]) {
        self.marks = marks
        self.addresses = addresses.filter { !$0.value.isEmpty }
    }

    /// Whether there is nothing to do: then a namespace needs no rules at all.
    public var isEmpty: Bool { marks.isEmpty && addresses.allSatisfy(\.value.isEmpty) }
}

/// A list of addresses that a rule looks up; IPv4 and IPv6 together.
public enum AddressList: Hashable, Sendable, CaseIterable {
    /// Replies from here are let through the forward chain, whatever its policy.
    case tasks
    /// Balanced packets to here leave with this node's own address as their source, because replies would else
    /// not come back by this node.
    case sourceNAT
}

/// A port of a transport protocol: `1080/tcp`.
public struct TransportPort: Hashable, Sendable {
    /// The port, never 0.
    public let port: UInt16
    /// The protocol.
    public let transport: TransportProtocol

    /// - Precondition: `port` is not 0.
    public init(_ port: UInt16, _ transport: TransportProtocol) {
        precondition(port != 0, "port 0 is no port")
        self.port = port
        self.transport = transport
    }
}

extension TransportPort: CustomStringConvertible, Comparable {
    /// `1080/tcp`.
    public var description: String { "\(port)/\(transport)" }

    /// By port, then protocol.
    public static func < (lhs: Self, rhs: Self) -> Bool { (lhs.port, lhs.transport) < (rhs.port, rhs.transport) }
}
