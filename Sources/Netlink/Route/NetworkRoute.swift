import CNetlink

#if canImport(Glibc)
    import Glibc
#endif

/// A route of a namespace's tables (`RTM_NEWROUTE`).
package struct NetworkRoute: Hashable, Sendable {
    /// `AF_INET` or `AF_INET6`; for others the kernel has tables of other kinds, which are not listed.
    package var family: UInt8
    /// The network's four or sixteen bytes; none for the default route.
    package var destination: [UInt8]
    /// How many bits of the destination count; 0 for the default route.
    package var prefixLength: Int
    /// Where packets are sent to, four or sixteen bytes; nil where the destination is on the link. An IPv4 route by an
    /// IPv6 gateway has sixteen.
    package var gateway: [UInt8]?
    /// The index of the interface; nil where the route names several, or none as one that refuses does.
    package var interface: Int32?
    /// The table's number: 254 for `main`, 255 for `local`.
    package var table: UInt32
    /// `RTN_UNICAST`, `RTN_LOCAL`, `RTN_UNREACHABLE` and their like.
    package var type: UInt8
    /// `RTN_UNICAST`'s scope: `RT_SCOPE_LINK` and its like.
    package var scope: UInt8
    /// Who made it: `RTPROT_KERNEL`, `RTPROT_STATIC` and their like.
    package var origin: UInt8
    /// The lower one of two routes to one destination is taken.
    package var priority: UInt32
}

extension NetworkRoute {
    /// Nil where the message is cut short.
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
            // An address family of two bytes, and the address: a gateway of the other family.
            case Int(RTA_VIA.rawValue): gateway = Array(attribute.bytes.dropFirst(2))
            case Int(RTA_OIF.rawValue): interface = attribute.int32
            case Int(RTA_PRIORITY.rawValue): priority = attribute.uint32 ?? 0
            // The header has room for numbers up to 255 alone.
            case Int(RTA_TABLE.rawValue): table = attribute.uint32 ?? table
            default: break
            }
        }
    }
}
