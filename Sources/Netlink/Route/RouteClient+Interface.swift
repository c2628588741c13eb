import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The addresses, routes and neighbours of an interface.
extension RouteClient {
    /// Adds an address to an interface, which brings the route to its network once the interface is up. An IPv6 address
    /// is usable at once, without the check whether another host has it.
    ///
    /// - Parameter address: the four or sixteen bytes of the address.
    package func add(address: [UInt8], prefixLength: Int, to index: Int32) async throws(NetlinkError) {
        let flags = NetlinkFlags.create | NetlinkFlags.exclusive
        try await perform(Int(RTM_NEWADDR), flags: flags, header: addressHeader(address, prefixLength, index)) {
            $0.put(Int(IFA_LOCAL), bytes: address)
            $0.put(Int(IFA_ADDRESS), bytes: address)
        }
    }

    package func remove(address: [UInt8], prefixLength: Int, from index: Int32) async throws(NetlinkError) {
        try await perform(Int(RTM_DELADDR), header: addressHeader(address, prefixLength, index)) {
            $0.put(Int(IFA_LOCAL), bytes: address)
            $0.put(Int(IFA_ADDRESS), bytes: address)
        }
    }

    private func addressHeader(_ address: [UInt8], _ prefixLength: Int, _ index: Int32) -> ifaddrmsg {
        var header = ifaddrmsg()
        header.ifa_family = UInt8(address.count == 4 ? AF_INET : AF_INET6)
        header.ifa_prefixlen = UInt8(prefixLength)
        header.ifa_index = UInt32(index)
        if address.count != 4 { header.ifa_flags = UInt8(IFA_F_NODAD) }
        return header
    }

    /// Adds a route through an interface to the main table, or changes the existing route to that destination.
    ///
    /// - Parameters:
    ///   - destination: the network's four or sixteen bytes.
    ///   - gateway: the next hop; nil if the destination is on the link.
    ///   - source: the source address of packets that the namespace itself sends; nil for the kernel's choice.
    ///   - origin: the protocol number of the route (`RTA_PROTOCOL`).
    package func putRoute(
        to destination: [UInt8], prefixLength: Int, via gateway: [UInt8]?, source: [UInt8]?, by index: Int32,
        origin: UInt8
    ) async throws(NetlinkError) {
        var header = rtmsg()
        header.rtm_family = UInt8(destination.count == 4 ? AF_INET : AF_INET6)
        header.rtm_dst_len = UInt8(prefixLength)
        header.rtm_table = UInt8(RT_TABLE_MAIN.rawValue)
        header.rtm_protocol = origin
        header.rtm_scope = UInt8((gateway == nil ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE).rawValue)
        header.rtm_type = UInt8(RTN_UNICAST)
        let flags = NetlinkFlags.create | NetlinkFlags.replace
        try await perform(Int(RTM_NEWROUTE), flags: flags, header: header) {
            $0.put(Int(RTA_DST.rawValue), bytes: destination)
            $0.put(Int(RTA_OIF.rawValue), UInt32(index))
            if let gateway { $0.put(Int(RTA_GATEWAY.rawValue), bytes: gateway) }
            if let source { $0.put(Int(RTA_PREFSRC.rawValue), bytes: source) }
        }
    }

    /// Adds a permanent neighbour entry to an interface.
    package func put(
        neighbour: [UInt8], hardwareAddress: [UInt8], by index: Int32
    ) async throws(NetlinkError) {
        var header = ndmsg()
        header.ndm_family = UInt8(neighbour.count == 4 ? AF_INET : AF_INET6)
        header.ndm_ifindex = index
        header.ndm_state = UInt16(NUD_PERMANENT)
        let flags = NetlinkFlags.create | NetlinkFlags.replace
        try await perform(Int(RTM_NEWNEIGH), flags: flags, header: header) {
            $0.put(Int(NDA_DST), bytes: neighbour)
            $0.put(Int(NDA_LLADDR), bytes: hardwareAddress)
        }
    }

    /// The permanent neighbours of an interface, with their hardware addresses.
    package func permanentNeighbours(of index: Int32) async throws(NetlinkError) -> [[UInt8]: [UInt8]] {
        let neighbours = try await list(Int(RTM_GETNEIGH), header: ndmsg()) {
            $0.put(Int(NDA_IFINDEX), UInt32(index))
        } parse: {
            Neighbour($0)
        }
        // A kernel that does not filter sends the neighbours of all interfaces.
        let permanent = neighbours.filter { $0.interface == index && $0.isPermanent }
        return Dictionary(permanent.map { ($0.address, $0.hardwareAddress) }) { first, _ in first }
    }
}

/// A neighbour entry of an interface (`RTM_NEWNEIGH`).
private struct Neighbour {
    var interface: Int32
    var isPermanent: Bool
    var address: [UInt8]
    var hardwareAddress: [UInt8]

    /// Nil if the message is truncated.
    init?(_ message: NetlinkMessage) {
        guard let (header, attributes) = message.header(ndmsg.self) else { return nil }
        interface = header.ndm_ifindex
        isPermanent = header.ndm_state & UInt16(NUD_PERMANENT) != 0
        address = attributes.first(Int(NDA_DST))?.array ?? []
        hardwareAddress = attributes.first(Int(NDA_LLADDR))?.array ?? []
    }
}
