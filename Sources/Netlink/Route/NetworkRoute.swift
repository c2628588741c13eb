import CNetlink

#if canImport(Glibc)
    import Glibc
#endif

/// A route of a namespace's tables (`RTM_NEWROUTE`).
package struct NetworkRoute: Hashable, Sendable {
    /// `AF_INET` or `AF_INET6`. Routes of other families, which the kernel keeps in other tables, are not listed.
    package var family: UInt8
    /// The network's four or sixteen bytes; empty for the default route.
    package var destination: [UInt8]
    /// The number of leading bits of the destination that count; 0 for the default route.
    package var prefixLength: Int
    /// The next hop, four or sixteen bytes; nil if the destination is on the link. An IPv4 route by an IPv6 gateway has
    /// sixteen bytes.
    package var gateway: [UInt8]?
    /// The source address of packets that the namespace itself sends; nil for the kernel's choice.
    package var source: [UInt8]?
    /// The index of the interface; nil if the route names several, or none, such as a route that refuses packets.
    package var interface: Int32?
    /// The table's number: 254 for `main`, 255 for `local`.
    package var table: UInt32
    /// The type: `RTN_UNICAST`, `RTN_LOCAL`, `RTN_UNREACHABLE` and similar values.
    package var type: UInt8
    /// The scope: `RT_SCOPE_LINK` and similar values.
    package var scope: UInt8
    /// Who made the route: `RTPROT_KERNEL`, `RTPROT_STATIC` and similar values.
    package var origin: UInt8
    /// The priority. Of two routes to one destination, the kernel takes the one with the lower value.
    package var priority: UInt32
}

extension NetworkRoute {
    /// Nil if the message is truncated.
    init?(_ message: NetlinkMessage) {
        guard let (header, attributes) = message.header(rtmsg.self) else { return nil }
        family = header.rtm_family
        prefixLength = Int(header.rtm_dst_len)
        type = header.rtm_type
        scope = header.rtm_scope
        origin = header.rtm_protocol
        destination = []
        table = UInt32(header.rtm_table)
        priority = 0
        for attribute in attributes {
            switch Int(attribute.type) {
            case Int(RTA_DST.rawValue): destination = Array(attribute.bytes)
            case Int(RTA_GATEWAY.rawValue): gateway = Array(attribute.bytes)
            // RTA_VIA has an address family of two bytes and an address: a gateway of the other family.
            case Int(RTA_VIA.rawValue): gateway = Array(attribute.bytes.dropFirst(2))
            case Int(RTA_PREFSRC.rawValue): source = Array(attribute.bytes)
            case Int(RTA_OIF.rawValue): interface = attribute.int32
            case Int(RTA_PRIORITY.rawValue): priority = attribute.uint32 ?? 0
            // The header has room for numbers up to 255 only.
            case Int(RTA_TABLE.rawValue): table = attribute.uint32 ?? table
            default: break
            }
        }
    }
}
