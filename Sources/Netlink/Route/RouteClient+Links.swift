import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension RouteClient {
    /// All interfaces of the namespace: one dump of `RTM_GETLINK`.
    package func links() async throws(NetlinkError) -> [NetworkLink] {
        try await list(Int(RTM_GETLINK), header: ifinfomsg()) { NetworkLink($0) }
    }

    /// The interface with a name; nil if there is none.
    package func link(named name: String) async throws(NetlinkError) -> NetworkLink? {
        do throws(NetlinkError) {
            return try await ask(Int(RTM_GETLINK), header: ifinfomsg()) {
                $0.put(Int(IFLA_IFNAME), string: name)
            } parse: {
                NetworkLink($0)
            }
        } catch {
            guard error.errno == Errno(rawValue: ENODEV) else { throw error }
            return nil
        }
    }

    /// The interfaces that belong to a bridge.
    package func ports(of bridge: Int32) async throws(NetlinkError) -> [NetworkLink] {
        try await list(Int(RTM_GETLINK), header: ifinfomsg()) {
            $0.put(Int(IFLA_MASTER), UInt32(bridge))
        } parse: {
            NetworkLink($0)
        }
    }

    /// Switches hairpin mode of a bridge port on or off.
    package func set(hairpin: Bool, of port: Int32) async throws(NetlinkError) {
        try await set(Int(IFLA_BRPORT_MODE), hairpin, of: port)
    }

    /// Lets a bridge port exchange packets with the other isolated ports, or not.
    package func set(isolated: Bool, of port: Int32) async throws(NetlinkError) {
        try await set(Int(IFLA_BRPORT_ISOLATED), isolated, of: port)
    }

    private func set(_ flag: Int, _ on: Bool, of port: Int32) async throws(NetlinkError) {
        var header = ifinfomsg()
        header.ifi_index = port
        try await perform(Int(RTM_NEWLINK), header: header) {
            $0.nest(Int(IFLA_LINKINFO)) { info in
                info.put(Int(IFLA_INFO_SLAVE_KIND), string: "bridge")
                info.nest(Int(IFLA_INFO_SLAVE_DATA)) { $0.put(flag, UInt8(on ? 1 : 0)) }
            }
        }
    }

    /// Makes a veth pair in one message, both ends down. There is never one end without the other.
    package func createPair(_ near: NewInterface, _ far: NewInterface) async throws(NetlinkError) {
        try await create(near, kind: "veth") { data in
            data.nest(Int(VETH_INFO_PEER)) { peer in
                peer.append(ifinfomsg())
                far.write(to: &peer)
            }
        }
    }

    /// Makes a bridge, down and without ports.
    package func createBridge(_ bridge: NewInterface) async throws(NetlinkError) {
        try await create(bridge, kind: "bridge") { _ in }
    }

    /// Makes a VXLAN interface. Encapsulated packets are sent and received in the client's namespace, also if the
    /// interface itself is made in another.
    package func createVXLAN(_ interface: NewInterface, _ settings: VXLANSettings) async throws(NetlinkError) {
        try await create(interface, kind: "vxlan") { settings.write(to: &$0) }
    }

    private func create(
        _ interface: NewInterface, kind: String, _ data: @escaping (inout MessageWriter) -> Void
    ) async throws(NetlinkError) {
        let flags = NetlinkFlags.create | NetlinkFlags.exclusive
        try await perform(Int(RTM_NEWLINK), flags: flags, header: ifinfomsg()) { message in
            interface.write(to: &message)
            message.nest(Int(IFLA_LINKINFO)) { info in
                info.put(Int(IFLA_INFO_KIND), string: kind)
                info.nest(Int(IFLA_INFO_DATA), data)
            }
        }
    }

    /// Makes an interface a port of a bridge, or of none.
    package func set(master: Int32?, of index: Int32) async throws(NetlinkError) {
        try await change(index) { $0.put(Int(IFLA_MASTER), UInt32(bitPattern: master ?? 0)) }
    }

    /// Sets the greatest length of a packet in bytes.
    package func set(mtu: UInt32, of index: Int32) async throws(NetlinkError) {
        try await change(index) { $0.put(Int(IFLA_MTU), mtu) }
    }

    package func set(alias: String, of index: Int32) async throws(NetlinkError) {
        try await change(index) { $0.put(Int(IFLA_IFALIAS), string: alias) }
    }

    package func set(hardwareAddress: [UInt8], of index: Int32) async throws(NetlinkError) {
        try await change(index) { $0.put(Int(IFLA_ADDRESS), bytes: hardwareAddress) }
    }

    /// Sets or clears flags, and leaves the others as they are.
    package func set(_ flags: NetworkLink.Flags, _ on: Bool, of index: Int32) async throws(NetlinkError) {
        try await change(index, flags: on ? flags.rawValue : 0, mask: flags.rawValue) { _ in }
    }

    /// Deletes an interface, and its other end with it.
    package func delete(_ index: Int32) async throws(NetlinkError) {
        var header = ifinfomsg()
        header.ifi_index = index
        try await perform(Int(RTM_DELLINK), header: header)
    }

    /// The number of another namespace in the client's; negative if it has none.
    package func number(of namespace: NamespaceHandle) async throws(NetlinkError) -> Int32 {
        let number = try await ask(Int(RTM_GETNSID), header: rtgenmsg()) {
            $0.put(Int(NETNSA_FD), UInt32(namespace.descriptor.rawValue))
        } parse: {
            $0.attributes.first(Int(NETNSA_NSID))?.int32
        }
        return number ?? -1
    }

    private func change(
        _ index: Int32, flags: UInt32 = 0, mask: UInt32 = 0, _ attributes: @escaping (inout MessageWriter) -> Void
    ) async throws(NetlinkError) {
        var header = ifinfomsg()
        header.ifi_index = index
        header.ifi_flags = flags
        header.ifi_change = mask
        try await perform(Int(RTM_SETLINK), header: header, attributes)
    }
}
