/// How long IPVS remembers an idle connection, by protocol and state: `IPVS_CMD_ATTR_TIMEOUT_…`.
///
/// Writing nil leaves a timeout as it is. Reading gives nil for a protocol without which the kernel was built. The
/// kernel also takes 0 for "leave it", so ``IPVS/set(_:)`` refuses 0.
public struct Timeouts: Hashable, Sendable {
    /// Established TCP connections, in seconds; the kernel's default is 900.
    public var tcpSeconds: UInt32?
    /// TCP connections that have been closed by one side, in seconds; the default is 120.
    public var tcpFinSeconds: UInt32?
    /// UDP connections, in seconds; the default is 300.
    public var udpSeconds: UInt32?

    /// By default all timeouts are nil.
    public init(tcpSeconds: UInt32? = nil, tcpFinSeconds: UInt32? = nil, udpSeconds: UInt32? = nil) {
        self.tcpSeconds = tcpSeconds
        self.tcpFinSeconds = tcpFinSeconds
        self.udpSeconds = udpSeconds
    }
}
