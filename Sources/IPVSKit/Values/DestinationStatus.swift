/// A destination as the kernel has it: the answer to `IPVS_CMD_GET_DEST`.
public struct DestinationStatus: Hashable, Sendable, Identifiable {
    /// What was asked for.
    public var destination: Destination
    /// What it has done, and does per second.
    public var statistics: Statistics
    /// Connections that count as active: of TCP those that are being opened (SYN_SENT, SYN_RECV, SYNACK) and those that
    /// are established, of SCTP the established, of UDP none. Clients that never complete their connection count, too,
    /// until the kernel forgets them. `IPVS_DEST_ATTR_ACTIVE_CONNS`.
    public var activeConnections: UInt32 = 0
    /// All others: those that are closed and remembered, half-closed ones that still receive, and all of UDP's. So 0
    /// active is not drained, and more than 0 inactive may be: see ``IPVS/drain(_:of:within:every:)``.
    /// `IPVS_DEST_ATTR_INACT_CONNS`.
    public var inactiveConnections: UInt32 = 0
    /// Clients remembered for persistence: `IPVS_DEST_ATTR_PERSIST_CONNS`.
    public var persistentConnections: UInt32 = 0
    /// What the kernel sent of it and this library has no name for, but for counters. Empty up to Linux 6.12.
    public var unknownAttributes: [UnknownAttribute] = []

    /// The id of the destination.
    public var id: Destination.ID { destination.id }

    /// A destination as a kernel could have it, for tests of what reads one.
    public init(destination: Destination, statistics: Statistics = Statistics()) {
        self.destination = destination
        self.statistics = statistics
    }
}
