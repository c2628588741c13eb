import CNetlink
import Netlink

extension Timeouts {
    /// From the answer to `IPVS_CMD_GET_CONFIG`.
    init(_ message: NetlinkMessage) {
        self.init()
        var attributes = message.attributes
        while let attribute = attributes.next() {
            switch Int(attribute.type) {
            case IPVS_CMD_ATTR_TIMEOUT_TCP: tcpSeconds = attribute.uint32
            case IPVS_CMD_ATTR_TIMEOUT_TCP_FIN: tcpFinSeconds = attribute.uint32
            case IPVS_CMD_ATTR_TIMEOUT_UDP: udpSeconds = attribute.uint32
            default: break
            }
        }
    }
}

extension Info {
    /// From the answer to `IPVS_CMD_GET_INFO`, whose attributes have the ids of others elsewhere.
    init?(_ message: NetlinkMessage) {
        var version: UInt32?
        var size: UInt32?
        var attributes = message.attributes
        while let attribute = attributes.next() {
            switch Int(attribute.type) {
            case IPVS_INFO_ATTR_VERSION: version = attribute.uint32
            case IPVS_INFO_ATTR_CONN_TAB_SIZE: size = attribute.uint32
            default: break
            }
        }
        guard let version, let size else { return nil }
        self.init(version: Version(rawValue: version), connectionTableSize: size)
    }
}

extension SyncDaemon {
    /// From an `IPVS_CMD_NEW_DAEMON` message; nil where what makes a daemon is missing.
    init?(_ message: NetlinkMessage) {
        guard var attributes = message.attributes.first(IPVS_CMD_ATTR_DAEMON)?.nested else { return nil }
        var role: Role?
        var interface: String?
        var syncID: UInt8 = 0
        var maximumLength: UInt16?
        var group: IPAddress?
        var port: UInt16?
        var timeToLive: UInt8?
        while let attribute = attributes.next() {
            switch Int(attribute.type) {
            case IPVS_DAEMON_ATTR_STATE: role = attribute.uint32.flatMap(Role.init)
            case IPVS_DAEMON_ATTR_MCAST_IFN: interface = attribute.string
            // Another program may have set a larger id; the kernel uses only the lowest byte.
            case IPVS_DAEMON_ATTR_SYNC_ID: syncID = UInt8(truncatingIfNeeded: attribute.uint32 ?? 0)
            case IPVS_DAEMON_ATTR_SYNC_MAXLEN: maximumLength = attribute.uint16
            case IPVS_DAEMON_ATTR_MCAST_GROUP: group = IPAddress(attribute, family: .ipv4)
            case IPVS_DAEMON_ATTR_MCAST_GROUP6: group = IPAddress(attribute, family: .ipv6)
            case IPVS_DAEMON_ATTR_MCAST_PORT: port = attribute.uint16
            case IPVS_DAEMON_ATTR_MCAST_TTL: timeToLive = attribute.uint8
            default: break
            }
        }
        guard let role, let interface, !attributes.isTruncated else { return nil }
        self.init(
            role: role, interface: interface, syncID: syncID, maximumLength: maximumLength, group: group, port: port,
            timeToLive: timeToLive)
    }
}
