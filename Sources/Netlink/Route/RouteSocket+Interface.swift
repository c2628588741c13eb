import CNetlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// An address and its network: four or sixteen bytes, most significant first, and how many leading bits are shared.
package struct NetworkAddress: Hashable, Sendable {
    package var bytes: [UInt8]
    package var prefixLength: Int

    package init(_ bytes: [UInt8], prefixLength: Int) {
        self.bytes = bytes
        self.prefixLength = prefixLength
    }

    fileprivate var family: UInt8 { UInt8(bytes.count == 4 ? AF_INET : AF_INET6) }
}

/// A route of the main table that leads out by one interface.
package struct InterfaceRoute: Hashable, Sendable {
    package var destination: NetworkAddress
    /// Nil where the destination is on the link.
    package var gateway: [UInt8]?
    /// What packets of the namespace's own get as their source; nil for the kernel's choice.
    package var source: [UInt8]?

    package init(to destination: NetworkAddress, via gateway: [UInt8]? = nil, source: [UInt8]? = nil) {
        self.destination = destination
        self.gateway = gateway
        self.source = source
    }
}

/// What an interface has besides itself.
extension RouteSocket {
    /// Gives an interface an address, which brings the route to its network once the interface is up. An IPv6 address is
    /// used at once, without asking whether somebody else has it.
    package mutating func add(_ address: NetworkAddress, to index: Int32) throws(Errno) {
        try perform(
            Int(RTM_NEWADDR), flags: Int(NLM_F_CREATE) | Int(NLM_F_EXCL), header: Self.header(address, index),
            Self.attributes(address))
    }

    package mutating func remove(_ address: NetworkAddress, from index: Int32) throws(Errno) {
        try perform(Int(RTM_DELADDR), header: Self.header(address, index), Self.attributes(address))
    }

    private static func header(_ address: NetworkAddress, _ index: Int32) -> ifaddrmsg {
        var header = ifaddrmsg()
        header.ifa_family = address.family
        header.ifa_prefixlen = UInt8(address.prefixLength)
        header.ifa_index = UInt32(index)
        if address.family == UInt8(AF_INET6) { header.ifa_flags = UInt8(IFA_F_NODAD) }
        return header
    }

    private static func attributes(_ address: NetworkAddress) -> (inout MessageWriter) -> Void {
        {
            $0.put(Int(IFA_LOCAL), bytes: address.bytes)
            $0.put(Int(IFA_ADDRESS), bytes: address.bytes)
        }
    }

    /// The addresses of an interface, of both families.
    package mutating func addresses(of index: Int32) throws(Errno) -> Set<NetworkAddress> {
        var header = ifaddrmsg()
        header.ifa_index = UInt32(index)
        var found: Set<NetworkAddress> = []
        try perform(Int(RTM_GETADDR), flags: Int(NLM_F_DUMP), header: header) { _ in
        } answer: { message in
            let size = MemoryLayout<ifaddrmsg>.size
            guard message.count >= size else { return }
            let header = message.loadUnaligned(as: ifaddrmsg.self)
            // A kernel that does not filter sends those of all interfaces.
            guard header.ifa_index == UInt32(index) else { return }
            let attributes = Attributes(UnsafeRawBufferPointer(rebasing: message[size...]))
            guard let address = attributes.first(Int(IFA_LOCAL)) ?? attributes.first(Int(IFA_ADDRESS)) else { return }
            found.insert(NetworkAddress(address.array, prefixLength: Int(header.ifa_prefixlen)))
        }
        return found
    }

    /// Adds a route by an interface to the main table, or changes the one that leads there.
    ///
    /// - Parameter origin: the number of the protocol that is written on it (`RTA_PROTOCOL`).
    package mutating func put(_ route: InterfaceRoute, by index: Int32, origin: UInt8) throws(Errno) {
        var header = rtmsg()
        header.rtm_family = route.destination.family
        header.rtm_dst_len = UInt8(route.destination.prefixLength)
        header.rtm_table = UInt8(RT_TABLE_MAIN.rawValue)
        header.rtm_protocol = origin
        header.rtm_scope = UInt8((route.gateway == nil ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE).rawValue)
        header.rtm_type = UInt8(RTN_UNICAST)
        try perform(Int(RTM_NEWROUTE), flags: Int(NLM_F_CREATE) | Int(NLM_F_REPLACE), header: header) {
            $0.put(Int(RTA_DST.rawValue), bytes: route.destination.bytes)
            $0.put(Int(RTA_OIF.rawValue), UInt32(index))
            if let gateway = route.gateway { $0.put(Int(RTA_GATEWAY.rawValue), bytes: gateway) }
            if let source = route.source { $0.put(Int(RTA_PREFSRC.rawValue), bytes: source) }
        }
    }

    /// The routes of the main table by an interface.
    package mutating func routes(by index: Int32, isIPv4: Bool) throws(Errno) -> Set<InterfaceRoute> {
        var header = rtmsg()
        header.rtm_family = UInt8(isIPv4 ? AF_INET : AF_INET6)
        var found: Set<InterfaceRoute> = []
        try perform(Int(RTM_GETROUTE), flags: Int(NLM_F_DUMP), header: header) {
            $0.put(Int(RTA_OIF.rawValue), UInt32(index))
        } answer: { message in
            let size = MemoryLayout<rtmsg>.size
            guard message.count >= size else { return }
            let header = message.loadUnaligned(as: rtmsg.self)
            let attributes = Attributes(UnsafeRawBufferPointer(rebasing: message[size...]))
            guard header.rtm_type == UInt8(RTN_UNICAST), header.rtm_table == UInt8(RT_TABLE_MAIN.rawValue),
                attributes.first(Int(RTA_OIF.rawValue))?.uint32 == UInt32(index)
            else { return }
            let none = [UInt8](repeating: 0, count: isIPv4 ? 4 : 16)
            found.insert(
                InterfaceRoute(
                    to: NetworkAddress(
                        attributes.first(Int(RTA_DST.rawValue))?.array ?? none, prefixLength: Int(header.rtm_dst_len)),
                    via: attributes.first(Int(RTA_GATEWAY.rawValue))?.array,
                    source: attributes.first(Int(RTA_PREFSRC.rawValue))?.array))
        }
        return found
    }

    /// Tells an interface the hardware address of a neighbour for good.
    package mutating func put(neighbour: [UInt8], hardwareAddress: [UInt8], by index: Int32) throws(Errno) {
        var header = ndmsg()
        header.ndm_family = UInt8(neighbour.count == 4 ? AF_INET : AF_INET6)
        header.ndm_ifindex = index
        header.ndm_state = UInt16(NUD_PERMANENT)
        try perform(Int(RTM_NEWNEIGH), flags: Int(NLM_F_CREATE) | Int(NLM_F_REPLACE), header: header) {
            $0.put(Int(NDA_DST), bytes: neighbour)
            $0.put(Int(NDA_LLADDR), bytes: hardwareAddress)
        }
    }

    /// The neighbours that an interface was told for good, with their hardware addresses.
    package mutating func permanentNeighbours(of index: Int32) throws(Errno) -> [[UInt8]: [UInt8]] {
        var found: [[UInt8]: [UInt8]] = [:]
        try perform(Int(RTM_GETNEIGH), flags: Int(NLM_F_DUMP), header: ndmsg()) {
            $0.put(Int(NDA_IFINDEX), UInt32(index))
        } answer: { message in
            let size = MemoryLayout<ndmsg>.size
            guard message.count >= size else { return }
            let header = message.loadUnaligned(as: ndmsg.self)
            guard header.ndm_ifindex == index, header.ndm_state & UInt16(NUD_PERMANENT) != 0 else { return }
            let attributes = Attributes(UnsafeRawBufferPointer(rebasing: message[size...]))
            guard let address = attributes.first(Int(NDA_DST)), let hardware = attributes.first(Int(NDA_LLADDR)) else {
                return
            }
            found[address.array] = hardware.array
        }
        return found
    }
}
