import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The entry of a routing table that an address is looked up to.
package struct RouteEntry: Hashable, Sendable {
    /// Nil where it names several.
    package var interface: Int32?
    package var prefixLength: Int
    /// Whether the address is the namespace's own.
    package var isLocal: Bool
    /// Where packets are sent to, four or sixteen bytes; nil where the destination is on the link.
    package var gateway: [UInt8]?
    /// What packets of the namespace's own get as their source; nil for the kernel's choice.
    package var source: [UInt8]?
}

extension RouteEntry {
    /// Nil where the message is cut short.
    init?(_ message: NetlinkMessage) {
        guard let (header, attributes) = message.header(rtmsg.self) else { return nil }
        prefixLength = Int(header.rtm_dst_len)
        isLocal = Int(header.rtm_type) == Int(RTN_LOCAL)
        interface = attributes.first(Int(RTA_OIF.rawValue))?.int32
        gateway = attributes.first(Int(RTA_GATEWAY.rawValue))?.array
        source = attributes.first(Int(RTA_PREFSRC.rawValue))?.array
    }

    /// Asks for the entry of an address of four or sixteen bytes: as it stands in the table, or what comes of it for this
    /// address.
    static func question(_ address: [UInt8], asItStands: Bool) -> rtmsg {
        var header = rtmsg()
        header.rtm_family = UInt8(address.count == 4 ? AF_INET : AF_INET6)
        header.rtm_dst_len = UInt8(address.count * 8)
        header.rtm_flags = asItStands ? UInt32(RTM_F_FIB_MATCH) : 0
        return header
    }

    /// Whether an errno says that an entry, or a rule, is there to stop what is sent to the address: unreachable,
    /// prohibit, blackhole.
    static func isRefusal(_ errno: Errno?) -> Bool {
        errno == .noRouteToHost || errno == .permissionDenied || errno == .invalidArgument
    }
}
