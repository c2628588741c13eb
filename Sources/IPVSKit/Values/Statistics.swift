/// Counters and rates of a service or a destination: `IPVS_SVC_ATTR_STATS64`, `IPVS_DEST_ATTR_STATS64`.
///
/// The kernel's estimator copies them together every two seconds: they lag by as much, and stand still where
/// `net.ipv4.vs.run_estimation` is 0. Rates are its moving averages over about eight seconds.
///
/// Kernels before Linux 4.1 send counters of 32 bits, which wrap, but for bytes: see ``Features/wideCounters``. A
/// destination that is removed and added again may have the counters it had, and ``IPVS/zero(_:)`` sets them back: who
/// takes differences must expect one to be negative.
public struct Statistics: Hashable, Sendable {
    /// Connections scheduled: `IPVS_STATS_ATTR_CONNS`.
    public var connections: UInt64 = 0
    /// Packets from clients: `IPVS_STATS_ATTR_INPKTS`.
    public var incomingPackets: UInt64 = 0
    /// Packets to clients: `IPVS_STATS_ATTR_OUTPKTS`. 0 where replies go round the balancer (direct routing, tunnels).
    public var outgoingPackets: UInt64 = 0
    /// Bytes from clients, headers of IP included: `IPVS_STATS_ATTR_INBYTES`.
    public var incomingBytes: UInt64 = 0
    /// Bytes to clients, headers of IP included: `IPVS_STATS_ATTR_OUTBYTES`.
    public var outgoingBytes: UInt64 = 0
    /// Connections per second: `IPVS_STATS_ATTR_CPS`.
    public var connectionRate: UInt64 = 0
    /// Packets from clients per second: `IPVS_STATS_ATTR_INPPS`.
    public var incomingPacketRate: UInt64 = 0
    /// Packets to clients per second: `IPVS_STATS_ATTR_OUTPPS`.
    public var outgoingPacketRate: UInt64 = 0
    /// Bytes from clients per second: `IPVS_STATS_ATTR_INBPS`.
    public var incomingByteRate: UInt64 = 0
    /// Bytes to clients per second: `IPVS_STATS_ATTR_OUTBPS`.
    public var outgoingByteRate: UInt64 = 0

    /// All zero.
    public init() {}
}
