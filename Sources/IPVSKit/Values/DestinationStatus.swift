/// A destination as the kernel has it: the answer to `IPVS_CMD_GET_DEST`.
public struct DestinationStatus: Hashable, Sendable, Identifiable {
    /// The destination itself.
    public var destination: Destination
    /// The counters and rates of the destination.
    public var statistics: Statistics
    /// The number of active connections: `IPVS_DEST_ATTR_ACTIVE_CONNS`. For TCP, connections that are being opened
    /// (SYN_SENT, SYN_RECV, SYNACK) or are established are active; for SCTP, established ones; for UDP, none.
    /// Connections that clients never complete are active, too, until the kernel forgets them.
    public var activeConnections: UInt32 = 0
    /// The number of all other connections: `IPVS_DEST_ATTR_INACT_CONNS`. They include closed connections that the
    /// kernel still remembers, half-closed ones that still receive, and all UDP connections. So a destination without
    /// active connections may still be in use, and one with inactive connections may be drained: see
    /// ``IPVS/drain(_:of:within:every:)``.
    public var inactiveConnections: UInt32 = 0
    /// The number of clients that are remembered for persistence: `IPVS_DEST_ATTR_PERSIST_CONNS`.
    public var persistentConnections: UInt32 = 0
    /// Attributes of the destination that this library does not know, without those of counters. Empty up to Linux
    /// 6.12.
    public var unknownAttributes: [UnknownAttribute] = []

    /// The id of the destination.
    public var id: Destination.ID { destination.id }

    /// Makes a destination as a kernel could have it, for tests of code that reads destinations.
    public init(destination: Destination, statistics: Statistics = Statistics()) {
        self.destination = destination
        self.statistics = statistics
    }
}
