/// How long IPVS remembers a connection that is idle, by protocol and state. `IPVS_CMD_ATTR_TIMEOUT_…`.
///
/// Nil leaves a value as it is when written, and means that the kernel did not send it when read: it leaves out
/// protocols that it was built without. The kernel takes 0 for "leave it", too, so ``IPVS/set(_:)`` refuses it.
public struct Timeouts: Hashable, Sendable {
    /// Established TCP connections, in seconds; the kernel's default is 900.
    public var tcpSeconds: UInt32?
    /// TCP connections that have been closed by one side, in seconds; the default is 120.
    public var tcpFinSeconds: UInt32?
    /// UDP, in seconds; the default is 300.
    public var udpSeconds: UInt32?

    /// All nil, unless said otherwise.
    public init(tcpSeconds: UInt32? = nil, tcpFinSeconds: UInt32? = nil, udpSeconds: UInt32? = nil) {
        self.tcpSeconds = tcpSeconds
        self.tcpFinSeconds = tcpFinSeconds
        self.udpSeconds = udpSeconds
    }
}
