import CNetlink

#if canImport(Glibc)
    import Glibc
#endif

/// A route that is to be made.
package struct NewRoute: Hashable, Sendable {
    /// The network's four or sixteen bytes.
    package var destination: [UInt8]
    package var prefixLength: Int
    /// The next hop; nil if the destination is on the link.
    package var gateway: [UInt8]?
    /// The source address of packets that the namespace itself sends; nil for the kernel's choice.
    package var source: [UInt8]?
    /// The table's number: 254 for `main`, 255 for `local`.
    package var table: UInt32
    /// Whether packets to the destination are the namespace's own.
    package var isLocal: Bool

    package init(
        to destination: [UInt8], prefixLength: Int, via gateway: [UInt8]? = nil, source: [UInt8]? = nil,
        table: UInt32 = 254, isLocal: Bool = false
    ) {
        self.destination = destination
        self.prefixLength = prefixLength
        self.gateway = gateway
        self.source = source
        self.table = table
        self.isLocal = isLocal
    }

    func header(_ origin: UInt8) -> rtmsg {
        var header = rtmsg()
        header.rtm_family = UInt8(destination.count == 4 ? AF_INET : AF_INET6)
        header.rtm_dst_len = UInt8(prefixLength)
        // The header has room for numbers up to 255 only.
        header.rtm_table = table < 256 ? UInt8(table) : UInt8(RT_TABLE_UNSPEC.rawValue)
        header.rtm_protocol = origin
        header.rtm_scope = UInt8(
            (isLocal ? RT_SCOPE_HOST : gateway == nil ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE).rawValue)
        header.rtm_type = UInt8(isLocal ? RTN_LOCAL : RTN_UNICAST)
        return header
    }

    func write(to writer: inout MessageWriter, _ index: Int32) {
        writer.put(Int(RTA_DST.rawValue), bytes: destination)
        writer.put(Int(RTA_OIF.rawValue), UInt32(index))
        writer.put(Int(RTA_TABLE.rawValue), table)
        if let gateway { writer.put(Int(RTA_GATEWAY.rawValue), bytes: gateway) }
        if let source { writer.put(Int(RTA_PREFSRC.rawValue), bytes: source) }
    }
}
