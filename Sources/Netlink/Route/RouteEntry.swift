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
    /// The number of who made the route (`RTA_PROTOCOL`).
    package var origin: UInt8
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
        origin = header.rtm_protocol
        isLocal = Int(header.rtm_type) == Int(RTN_LOCAL)
        interface = attributes.first(Int(RTA_OIF.rawValue))?.int32
        gateway = attributes.first(Int(RTA_GATEWAY.rawValue))?.array
        source = attributes.first(Int(RTA_PREFSRC.rawValue))?.array
    }
}
