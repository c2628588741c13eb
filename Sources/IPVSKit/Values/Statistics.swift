/// Counters and rates of a service or a destination.
///
/// The kernel's estimator copies them together every two seconds: they lag by as much, and stand still where
/// `net.ipv4.vs.run_estimation` is 0. Rates are its moving averages over about eight seconds.
public struct Statistics: Hashable, Sendable {
    /// Connections scheduled.
    public var connections: UInt64 = 0
    /// Packets from clients.
    public var incomingPackets: UInt64 = 0
    /// Packets to clients.
    public var outgoingPackets: UInt64 = 0
    /// Bytes from clients.
    public var incomingBytes: UInt64 = 0
    /// Bytes to clients.
    public var outgoingBytes: UInt64 = 0
    /// Connections per second.
    public var connectionRate: UInt64 = 0
    /// Packets from clients per second.
    public var incomingPacketRate: UInt64 = 0
    /// Packets to clients per second.
    public var outgoingPacketRate: UInt64 = 0
    /// Bytes from clients per second.
    public var incomingByteRate: UInt64 = 0
    /// Bytes to clients per second.
    public var outgoingByteRate: UInt64 = 0

    /// All zero.
    public init() {}
}
