import CNetlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension RouteSocket {
    /// The interface with a name; nil if there is none.
    package mutating func link(named name: String) throws(Errno) -> NetworkLink? {
        var link: NetworkLink?
        do {
            try perform(Int(RTM_GETLINK), header: ifinfomsg()) {
                $0.put(Int(IFLA_IFNAME), string: name)
            } answer: {
                link = NetworkLink($0)
            }
        } catch {
            guard error == Errno(rawValue: ENODEV) else { throw error }
        }
        return link
    }

    /// The interfaces that belong to a bridge.
    package mutating func ports(of bridge: Int32) throws(Errno) -> [NetworkLink] {
        var ports: [NetworkLink] = []
        try perform(Int(RTM_GETLINK), flags: Int(NLM_F_DUMP), header: ifinfomsg()) {
            $0.put(Int(IFLA_MASTER), UInt32(bridge))
        } answer: {
            if let link = NetworkLink($0) { ports.append(link) }
        }
        return ports
    }

    /// Switches hairpin mode of a bridge port on or off.
    package mutating func set(hairpin: Bool, of port: Int32) throws(Errno) {
        var header = ifinfomsg()
        header.ifi_index = port
        try perform(Int(RTM_NEWLINK), header: header) {
            $0.nest(Int(IFLA_LINKINFO)) { info in
                info.put(Int(IFLA_INFO_SLAVE_KIND), string: "bridge")
                info.nest(Int(IFLA_INFO_SLAVE_DATA)) { $0.put(Int(IFLA_BRPORT_MODE), UInt8(hairpin ? 1 : 0)) }
            }
        }
    }

    /// Makes a veth pair, both ends in the socket's namespace and down.
    package mutating func createPair(_ near: VethEnd, _ far: VethEnd) throws(Errno) {
        try perform(Int(RTM_NEWLINK), flags: Int(NLM_F_CREATE) | Int(NLM_F_EXCL), header: ifinfomsg()) { message in
            near.write(to: &message)
            message.nest(Int(IFLA_LINKINFO)) { info in
                info.put(Int(IFLA_INFO_KIND), string: "veth")
                info.nest(Int(IFLA_INFO_DATA)) { data in
                    data.nest(Int(VETH_INFO_PEER)) { peer in
                        peer.append(ifinfomsg())
                        far.write(to: &peer)
                    }
                }
            }
        }
    }

    package mutating func set(alias: String, of index: Int32) throws(Errno) {
        try change(index) { $0.put(Int(IFLA_IFALIAS), string: alias) }
    }

    /// Moves an interface into another namespace, where it is down and has no address.
    package mutating func move(_ index: Int32, to namespace: NamespaceHandle) throws(Errno) {
        try change(index) { $0.put(Int(IFLA_NET_NS_FD), UInt32(namespace.descriptor.rawValue)) }
    }

    /// Sets or clears flags, and leaves the others as they are.
    package mutating func set(_ flags: NetworkLink.Flags, _ on: Bool, of index: Int32) throws(Errno) {
        try change(index, flags: on ? flags.rawValue : 0, mask: flags.rawValue) { _ in }
    }

    /// Deletes an interface, and its other end with it.
    package mutating func delete(_ index: Int32) throws(Errno) {
        var header = ifinfomsg()
        header.ifi_index = index
        try perform(Int(RTM_DELLINK), header: header)
    }

    /// The number of another namespace in the socket's; negative if it has none.
    package mutating func number(of namespace: NamespaceHandle) throws(Errno) -> Int32 {
        var number: Int32 = -1
        try perform(Int(RTM_GETNSID), header: rtgenmsg()) {
            $0.put(Int(NETNSA_FD), UInt32(namespace.descriptor.rawValue))
        } answer: { message in
            number = message.attributes.first(Int(NETNSA_NSID))?.int32 ?? number
        }
        return number
    }

    private mutating func change(
        _ index: Int32, flags: UInt32 = 0, mask: UInt32 = 0, _ attributes: (inout MessageWriter) -> Void
    ) throws(Errno) {
        var header = ifinfomsg()
        header.ifi_index = index
        header.ifi_flags = flags
        header.ifi_change = mask
        try perform(Int(RTM_SETLINK), header: header, attributes)
    }
}
