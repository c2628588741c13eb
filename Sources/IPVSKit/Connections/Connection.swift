/// A connection of IPVS, or a client that is remembered for persistence: one line of `/proc/net/ip_vs_conn`, the
/// kernel's `struct ip_vs_conn`.
public struct Connection: Hashable, Sendable {
    /// An address and a port.
    public struct Endpoint: Hashable, Sendable {
        /// The address.
        public var address: IPAddress
        /// The port; 0 stands for any.
        public var port: UInt16

        /// - Parameters:
        ///   - address: the address.
        ///   - port: the port; 0 stands for any.
        public init(_ address: IPAddress, port: UInt16) {
            self.address = address
            self.port = port
        }
    }

    /// The state of a connection, by the kernel's name, which depends on the protocol. A name that this library does
    /// not know is kept.
    public struct State: RawRepresentable, Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
        /// The kernel's name.
        public let rawValue: String

        /// A state by the kernel's name.
        public init(rawValue: String) { self.rawValue = rawValue }

        /// A state by the kernel's name.
        public init(stringLiteral value: String) { rawValue = value }

        /// The kernel's name.
        public var description: String { rawValue }

        /// No packet has changed the state yet. A template in this state is not yet ``assured``.
        public static let none: Self = "NONE"
        /// TCP and SCTP: the connection is open in both directions.
        public static let established: Self = "ESTABLISHED"
        /// TCP: the task has opened the connection.
        public static let synSent: Self = "SYN_SENT"
        /// TCP: the client has sent a SYN, and IPVS has seen no answer.
        public static let synReceived: Self = "SYN_RECV"
        /// TCP: one side has closed; it may still receive.
        public static let finWait: Self = "FIN_WAIT"
        /// TCP: both sides have closed.
        public static let timeWait: Self = "TIME_WAIT"
        /// TCP: the connection was reset.
        public static let close: Self = "CLOSE"
        /// TCP: the client has closed; the task may still send.
        public static let closeWait: Self = "CLOSE_WAIT"
        /// TCP: the last acknowledgement is missing.
        public static let lastAck: Self = "LAST_ACK"
        /// TCP: the connection is expected.
        public static let listen: Self = "LISTEN"
        /// TCP under the `secure_tcp` defence: the SYN was answered, and the client has not confirmed yet.
        public static let synAck: Self = "SYNACK"
        /// SCTP: the association has ended.
        public static let closed: Self = "CLOSED"
        /// SCTP: the task has refused the association.
        public static let rejected: Self = "REJECTED"
        /// The only state of UDP.
        public static let udp: Self = "UDP"
        /// A template whose client has a connection that was established.
        public static let assured: Self = "ASSURED"
    }

    /// The key by which a persistence engine recognises a client, instead of its address.
    public struct PersistenceKey: Hashable, Sendable {
        /// The engine: `sip`.
        public var engine: String
        /// The data that the engine found in the packet, such as a SIP Call-ID. Bytes that are not UTF-8 are replaced.
        public var data: String

        /// - Parameters:
        ///   - engine: the engine's name.
        ///   - data: the data that the engine found in the packet.
        public init(engine: String, data: String) {
            self.engine = engine
            self.data = data
        }
    }

    /// The protocol. The template of a service by firewall mark has number 0, which the kernel calls `IP`.
    public var `protocol`: TransportProtocol
    /// The address of the client. Port 0 marks a template, see ``isTemplate``.
    public var client: Endpoint
    /// The address that the client connected to. For the template of a service by firewall mark, the mark is in its
    /// place, see ``firewallMark``.
    public var virtual: Endpoint
    /// The destination that the scheduler chose. Its family differs from the client's if a tunnel of the other family
    /// leads to it.
    public var destination: Destination.ID
    /// The state of the connection.
    public var state: State
    /// The time until the kernel forgets the connection unless a packet comes, in whole seconds; 0 if the time has
    /// passed.
    public var expiresInSeconds: UInt32
    /// The key of the persistence engine; nil if the service has none.
    public var persistenceKey: PersistenceKey?

    /// Makes a connection as a kernel could have it.
    public init(
        protocol: TransportProtocol, client: Endpoint, virtual: Endpoint, destination: Destination.ID, state: State,
        expiresInSeconds: UInt32, persistenceKey: PersistenceKey? = nil
    ) {
        self.protocol = `protocol`
        self.client = client
        self.virtual = virtual
        self.destination = destination
        self.state = state
        self.expiresInSeconds = expiresInSeconds
        self.persistenceKey = persistenceKey
    }

    /// Whether this is not a connection but a client that is remembered for persistence (`IP_VS_CONN_F_TEMPLATE`). The
    /// kernel does not list the flag. A template is recognised by the client's port 0 and a state that only templates
    /// have: expected data connections of FTP have no client port either, but are in ``State/listen``.
    public var isTemplate: Bool { client.port == 0 && (state == .none || state == .assured) }

    /// The mark of the service. The kernel lists it for templates only: the connections of a service by mark show the
    /// address that the client used.
    public var firewallMark: FirewallMark? {
        guard isTemplate, `protocol`.rawValue == 0 else { return nil }
        return switch virtual.address.storage {
        case .ipv4(let number): FirewallMark(rawValue: number)
        case .ipv6(let number): FirewallMark(rawValue: UInt32(number >> 96))
        }
    }
}

extension Connection.Endpoint: CustomStringConvertible, Comparable {
    /// `10.0.0.1:80` or `[fd00::1]:80`.
    public var description: String { Destination.ID(address, port: port).description }

    /// By address, then port.
    public static func < (lhs: Self, rhs: Self) -> Bool { (lhs.address, lhs.port) < (rhs.address, rhs.port) }
}

extension Connection: CustomStringConvertible {
    /// `TCP 10.1.0.2:44954 -> 10.1.0.1:80 -> 10.12.0.2:8080 ESTABLISHED 897s`.
    public var description: String {
        let name = `protocol`.rawValue == 0 ? "IP" : `protocol`.description.uppercased()
        let key = persistenceKey.map { " \($0.engine) \($0.data)" } ?? ""
        return "\(name) \(client) -> \(virtual) -> \(destination) \(state) \(expiresInSeconds)s\(key)"
    }
}
