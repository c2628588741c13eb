/// A daemon of the kernel's that sends the connection table to other hosts, or takes it from there.
/// `IPVS_CMD_ATTR_DAEMON` on the wire.
public struct SyncDaemon: Hashable, Sendable {
    /// What the daemon does: `IP_VS_STATE_…`. One of each may run in a namespace.
    public enum Role: UInt32, Hashable, Sendable, CaseIterable, CustomStringConvertible {
        /// Sends: `IP_VS_STATE_MASTER`.
        case master = 1
        /// Receives: `IP_VS_STATE_BACKUP`.
        case backup = 2

        /// `master` or `backup`.
        public var description: String {
            switch self {
            case .master: "master"
            case .backup: "backup"
            }
        }
    }

    /// What it does: `IPVS_DAEMON_ATTR_STATE`.
    public var role: Role
    /// The interface it multicasts on; 15 bytes at most. `IPVS_DAEMON_ATTR_MCAST_IFN`.
    public var interface: String
    /// Daemons of one id hear each other; a backup of 0 hears all. `IPVS_DAEMON_ATTR_SYNC_ID`.
    public var syncID: UInt8
    /// The largest payload of a datagram, in bytes; nil or 0 for the kernel's default: what headers leave of 1500 bytes,
    /// 1472 with a group of IPv4 and 1452 with one of IPv6, and for a backup what they leave of the interface's MTU
    /// where that is larger. 65507 at most with IPv4 and 65487 with IPv6; of a backup 1024 at least.
    /// `IPVS_DAEMON_ATTR_SYNC_MAXLEN`.
    public var maximumLength: UInt16?
    /// The multicast group; nil for 224.0.0.81. `IPVS_DAEMON_ATTR_MCAST_GROUP`, `…_GROUP6`.
    public var group: IPAddress?
    /// The UDP port; nil or 0 for 8848. `IPVS_DAEMON_ATTR_MCAST_PORT`.
    public var port: UInt16?
    /// The datagrams' time to live; nil or 0 for 1. `IPVS_DAEMON_ATTR_MCAST_TTL`.
    public var timeToLive: UInt8?

    /// What is nil is the kernel's default, and so is what is 0, but for the sync id. ``IPVS/daemons()`` reads the
    /// default back, and neither nil nor 0: a daemon that was started with one is not equal to the one that runs.
    public init(
        role: Role, interface: String, syncID: UInt8 = 0, maximumLength: UInt16? = nil, group: IPAddress? = nil,
        port: UInt16? = nil, timeToLive: UInt8? = nil
    ) {
        self.role = role
        self.interface = interface
        self.syncID = syncID
        self.maximumLength = maximumLength
        self.group = group
        self.port = port
        self.timeToLive = timeToLive
    }
}
