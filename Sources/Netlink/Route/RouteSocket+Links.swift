import CNetlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// A network interface, as far as anybody here asks.
package struct NetworkLink: Hashable, Sendable {
    package var index: Int32
    package var name = ""
    package var flags: Flags
    /// `veth`, `bridge`; nil for what has no kind, as hardware.
    package var kind: String?
    /// What somebody wrote on it.
    package var alias: String?
    /// The index of what it is bound to, for a veth its other end.
    package var peer: Int32?
    /// Where that is in another namespace: that one's number in this namespace.
    package var peerNamespace: Int32?
    /// `bridge` for a port of one; nil for what belongs to no other interface.
    package var masterKind: String?
    /// Whether a bridge gives packets back to this port that came by it.
    package var turnsBack = false
    /// The group that somebody put it into; 0 where nobody did.
    package var group: UInt32 = 0
    /// Most significant byte first; empty where it has none.
    package var hardwareAddress: [UInt8] = []

    /// The kernel's `IFF_UP` and its like.
    package struct Flags: OptionSet, Hashable, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }

        package static let up = Self(rawValue: UInt32(IFF_UP))
    }

    fileprivate init?(_ message: UnsafeRawBufferPointer) {
        let size = MemoryLayout<ifinfomsg>.size
        guard message.count >= size else { return nil }
        let header = message.loadUnaligned(as: ifinfomsg.self)
        index = header.ifi_index
        flags = Flags(rawValue: header.ifi_flags)
        for attribute in Attributes(UnsafeRawBufferPointer(rebasing: message[size...])) {
            switch Int(attribute.type) {
            case Int(IFLA_IFNAME): name = attribute.string
            case Int(IFLA_IFALIAS): alias = attribute.string
            case Int(IFLA_LINK): peer = attribute.uint32.map(Int32.init(bitPattern:))
            case Int(IFLA_LINK_NETNSID): peerNamespace = attribute.uint32.map(Int32.init(bitPattern:))
            case Int(IFLA_LINKINFO): read(info: attribute.nested)
            case Int(IFLA_GROUP): group = attribute.uint32 ?? 0
            case Int(IFLA_ADDRESS): hardwareAddress = attribute.array
            default: break
            }
        }
    }

    private mutating func read(info: Attributes) {
        for attribute in info {
            switch Int(attribute.type) {
            case Int(IFLA_INFO_KIND): kind = attribute.string
            case Int(IFLA_INFO_SLAVE_KIND): masterKind = attribute.string
            case Int(IFLA_INFO_SLAVE_DATA) where masterKind == "bridge":
                turnsBack = attribute.nested.first { Int($0.type) == Int(IFLA_BRPORT_MODE) }?.uint8 == 1
            default: break
            }
        }
    }
}

extension RouteSocket {
    /// Nil where there is none of that name.
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

    /// Whether a bridge is to give packets back to a port that came by it.
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

    /// One end of a veth pair that is to be.
    package struct VethEnd: Sendable {
        package var name: String
        package var hardwareAddress: [UInt8]
        /// The namespace it is made in; nil for that of the socket.
        package var namespace: NamespaceHandle?

        package init(name: String, hardwareAddress: [UInt8], namespace: NamespaceHandle? = nil) {
            self.name = name
            self.hardwareAddress = hardwareAddress
            self.namespace = namespace
        }

        fileprivate func write(to writer: inout MessageWriter, group: UInt32) {
            writer.put(Int(IFLA_IFNAME), string: name)
            writer.put(Int(IFLA_ADDRESS), bytes: hardwareAddress)
            writer.put(Int(IFLA_GROUP), group)
            if let namespace { writer.put(Int(IFLA_NET_NS_FD), UInt32(namespace.descriptor.rawValue)) }
        }
    }

    /// Makes a veth pair, both ends down and in a group, by which they are known from the first.
    package mutating func createPair(_ near: VethEnd, _ far: VethEnd, group: UInt32) throws(Errno) {
        try perform(Int(RTM_NEWLINK), flags: Int(NLM_F_CREATE) | Int(NLM_F_EXCL), header: ifinfomsg()) { message in
            near.write(to: &message, group: group)
            message.nest(Int(IFLA_LINKINFO)) { info in
                info.put(Int(IFLA_INFO_KIND), string: "veth")
                info.nest(Int(IFLA_INFO_DATA)) { data in
                    data.nest(Int(VETH_INFO_PEER)) { peer in
                        peer.append(ifinfomsg())
                        far.write(to: &peer, group: group)
                    }
                }
            }
        }
    }

    /// The interfaces of the namespace.
    package mutating func links() throws(Errno) -> [NetworkLink] {
        var links: [NetworkLink] = []
        try perform(Int(RTM_GETLINK), flags: Int(NLM_F_DUMP), header: ifinfomsg()) { _ in
        } answer: {
            if let link = NetworkLink($0) { links.append(link) }
        }
        return links
    }

    package mutating func set(hardwareAddress: [UInt8], of index: Int32) throws(Errno) {
        try change(index) { $0.put(Int(IFLA_ADDRESS), bytes: hardwareAddress) }
    }

    package mutating func set(alias: String, of index: Int32) throws(Errno) {
        try change(index) { $0.put(Int(IFLA_IFALIAS), string: alias) }
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

    /// The number that another namespace has in the socket's; negative where it has none.
    package mutating func number(of namespace: NamespaceHandle) throws(Errno) -> Int32 {
        var number: Int32 = -1
        try perform(Int(RTM_GETNSID), header: rtgenmsg()) {
            $0.put(Int(NETNSA_FD), UInt32(namespace.descriptor.rawValue))
        } answer: { message in
            let attributes = Attributes(UnsafeRawBufferPointer(rebasing: message.dropFirst(4)))
            let found = attributes.first { Int($0.type) == Int(NETNSA_NSID) }
            number = found?.uint32.map(Int32.init(bitPattern:)) ?? number
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
