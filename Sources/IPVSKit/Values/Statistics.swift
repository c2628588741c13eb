/// Counters and rates of a service or a destination: `IPVS_SVC_ATTR_STATS64`, `IPVS_DEST_ATTR_STATS64`.
///
/// The kernel's estimator sums them up every two seconds: they lag by as much, and stand still if the estimator does
/// not run, see ``IPVS/estimationRuns()``. Rates are the estimator's moving averages over about eight seconds.
///
/// Kernels before Linux 4.1 send 32-bit counters, which wrap, except for bytes: see ``Features/wideCounters``. A
/// counter that has wrapped looks as if it had started again. Counters can also go back, see ``increase(since:)``; and
/// a destination that is removed and added again may have its former counters.
public struct Statistics: Hashable, Sendable {
    /// Connections scheduled: `IPVS_STATS_ATTR_CONNS`.
    public var connections: UInt64 = 0
    /// Packets from clients: `IPVS_STATS_ATTR_INPKTS`.
    public var incomingPackets: UInt64 = 0
    /// Packets to clients: `IPVS_STATS_ATTR_OUTPKTS`. 0 if replies bypass the balancer (direct routing, tunnels).
    public var outgoingPackets: UInt64 = 0
    /// Bytes from clients, including IP headers: `IPVS_STATS_ATTR_INBYTES`.
    public var incomingBytes: UInt64 = 0
    /// Bytes to clients, including IP headers: `IPVS_STATS_ATTR_OUTBYTES`.
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

extension Statistics {
    /// The increase of the counters since an earlier reading, with the rates of this one.
    ///
    /// Counters go back to 0 by ``IPVS/zero(_:)``, and when an object is deleted and created again. For a counter that
    /// is smaller than before, the result is its present value, which is the part of the increase that is known.
    public func increase(since earlier: Statistics) -> Statistics {
        func difference(_ counter: KeyPath<Statistics, UInt64>) -> UInt64 {
            let (now, then) = (self[keyPath: counter], earlier[keyPath: counter])
            return now >= then ? now - then : now
        }
        var result = self
        result.connections = difference(\.connections)
        result.incomingPackets = difference(\.incomingPackets)
        result.outgoingPackets = difference(\.outgoingPackets)
        result.incomingBytes = difference(\.incomingBytes)
        result.outgoingBytes = difference(\.outgoingBytes)
        return result
    }
}
