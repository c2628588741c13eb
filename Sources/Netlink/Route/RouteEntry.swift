import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The entry of a routing table that applies to an address.
package struct RouteEntry: Hashable, Sendable {
    /// The index of the interface; nil if the entry names several.
    package var interface: Int32?
    package var prefixLength: Int
    /// Whether the address is the namespace's own.
    package var isLocal: Bool
    /// The next hop, four or sixteen bytes; nil if the destination is on the link.
    package var gateway: [UInt8]?
    /// The source address of packets that the namespace itself sends; nil for the kernel's choice.
    package var source: [UInt8]?
}

extension RouteEntry {
    /// Nil if the message is truncated.
    init?(_ message: NetlinkMessage) {
        guard let (header, attributes) = message.header(rtmsg.self) else { return nil }
        prefixLength = Int(header.rtm_dst_len)
        isLocal = Int(header.rtm_type) == Int(RTN_LOCAL)
        interface = attributes.first(Int(RTA_OIF.rawValue))?.int32
        gateway = attributes.first(Int(RTA_GATEWAY.rawValue))?.array
        source = attributes.first(Int(RTA_PREFSRC.rawValue))?.array
    }

    /// The question for the entry that applies to an address of four or sixteen bytes. The answer shows either the
    /// entry as it stands in the table, or the route that results for this address.
    static func question(_ address: [UInt8], asItStands: Bool) -> rtmsg {
        var header = rtmsg()
        header.rtm_family = UInt8(address.count == 4 ? AF_INET : AF_INET6)
        header.rtm_dst_len = UInt8(address.count * 8)
        header.rtm_flags = asItStands ? UInt32(RTM_F_FIB_MATCH) : 0
        return header
    }

    /// Whether an errno says that a route or a routing rule exists to refuse packets to the address: unreachable,
    /// prohibit, blackhole.
    static func isRefusal(_ errno: Errno?) -> Bool {
        errno == .noRouteToHost || errno == .permissionDenied || errno == .invalidArgument
    }
}
