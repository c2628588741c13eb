/// A kernel thread that sends the connection table to other hosts, or receives it from them: `IPVS_CMD_ATTR_DAEMON` on
/// the wire.
public struct SyncDaemon: Hashable, Sendable {
    /// The role of the daemon: `IP_VS_STATE_…`. One daemon of each role may run in a namespace.
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

    /// The role of the daemon: `IPVS_DAEMON_ATTR_STATE`.
    public var role: Role
    /// The interface for multicast; its name has 15 bytes at most. `IPVS_DAEMON_ATTR_MCAST_IFN`.
    public var interface: String
    /// The sync id: a backup accepts messages of its own id, or of all ids if its id is 0. `IPVS_DAEMON_ATTR_SYNC_ID`.
    public var syncID: UInt8
    /// The largest payload of a datagram in bytes: `IPVS_DAEMON_ATTR_SYNC_MAXLEN`. At most 65507 with IPv4 and 65487
    /// with IPv6; at least 1024 for a backup. Nil or 0 stands for the kernel's default: 1500 bytes less the headers,
    /// which is 1472 for an IPv4 group and 1452 for an IPv6 group. For a backup on an interface with a larger MTU, the
    /// default is that MTU less the headers.
    public var maximumLength: UInt16?
    /// The multicast group; nil for 224.0.0.81. `IPVS_DAEMON_ATTR_MCAST_GROUP`, `…_GROUP6`.
    public var group: IPAddress?
    /// The UDP port; nil or 0 for 8848. `IPVS_DAEMON_ATTR_MCAST_PORT`.
    public var port: UInt16?
    /// The datagrams' time to live; nil or 0 for 1. `IPVS_DAEMON_ATTR_MCAST_TTL`.
    public var timeToLive: UInt8?

    /// A property that is nil or 0 has the kernel's default, except the sync id. ``IPVS/daemons()`` reports the
    /// default's value, so that a daemon that was started with nil or 0 does not equal the one that runs.
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
