import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The permanent neighbours of an interface, and the forwarding database of a VXLAN interface.
extension RouteClient {
    /// Adds a permanent neighbour entry to an interface.
    ///
    /// - Parameter origin: the protocol number of the entry (`NDA_PROTOCOL`).
    package func put(
        neighbour: [UInt8], hardwareAddress: [UInt8], by index: Int32, origin: UInt8
    ) async throws(NetlinkError) {
        let flags = NetlinkFlags.create | NetlinkFlags.replace
        try await perform(Int(RTM_NEWNEIGH), flags: flags, header: neighbourHeader(neighbour, index)) {
            $0.put(Int(NDA_DST), bytes: neighbour)
            $0.put(Int(NDA_LLADDR), bytes: hardwareAddress)
            $0.put(Int(NDA_PROTOCOL), origin)
        }
    }

    /// Removes a neighbour entry; one that is gone already is no error.
    package func remove(neighbour: [UInt8], by index: Int32) async throws(NetlinkError) {
        try await unlessGone { () throws(NetlinkError) in
            try await perform(Int(RTM_DELNEIGH), header: neighbourHeader(neighbour, index)) {
                $0.put(Int(NDA_DST), bytes: neighbour)
            }
        }
    }

    private func neighbourHeader(_ neighbour: [UInt8], _ index: Int32) -> ndmsg {
        var header = ndmsg()
        header.ndm_family = UInt8(neighbour.count == 4 ? AF_INET : AF_INET6)
        header.ndm_ifindex = index
        header.ndm_state = UInt16(NUD_PERMANENT)
        return header
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

    /// Tells a VXLAN interface behind which node a hardware address is.
    ///
    /// - Parameter node: the node's address, four or sixteen bytes.
    package func putForwarding(
        of hardwareAddress: [UInt8], to node: [UInt8], by index: Int32
    ) async throws(NetlinkError) {
        let flags = NetlinkFlags.create | NetlinkFlags.replace
        try await perform(Int(RTM_NEWNEIGH), flags: flags, header: forwardingHeader(index)) {
            $0.put(Int(NDA_LLADDR), bytes: hardwareAddress)
            $0.put(Int(NDA_DST), bytes: node)
        }
    }

    /// Removes an entry of the forwarding database; one that is gone already is no error.
    package func removeForwarding(of hardwareAddress: [UInt8], by index: Int32) async throws(NetlinkError) {
        try await unlessGone { () throws(NetlinkError) in
            try await perform(Int(RTM_DELNEIGH), header: forwardingHeader(index)) {
                $0.put(Int(NDA_LLADDR), bytes: hardwareAddress)
            }
        }
    }

    private func forwardingHeader(_ index: Int32) -> ndmsg {
        var header = ndmsg()
        header.ndm_family = UInt8(AF_BRIDGE)
        header.ndm_ifindex = index
        header.ndm_state = UInt16(NUD_PERMANENT | NUD_NOARP)
        header.ndm_flags = UInt8(NTF_SELF)
        return header
    }

    /// The forwarding database of a VXLAN interface: the node's address by hardware address.
    package func forwarding(of index: Int32) async throws(NetlinkError) -> [[UInt8]: [UInt8]] {
        // This dump takes the header of another message type, which names the interface.
        var header = ifinfomsg()
        header.ifi_family = UInt8(AF_BRIDGE)
        header.ifi_index = index
        let entries = try await list(Int(RTM_GETNEIGH), header: header) { Neighbour($0) }
        // The bridge's own entries for the interface, as its port, name no node.
        let ours = entries.filter { $0.interface == index && $0.isOfInterface && !$0.address.isEmpty }
        return Dictionary(ours.map { ($0.hardwareAddress, $0.address) }) { first, _ in first }
    }

    private func unlessGone(_ body: () async throws(NetlinkError) -> Void) async throws(NetlinkError) {
        do throws(NetlinkError) {
            try await body()
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
        }
    }
}

/// A neighbour entry of an interface, or an entry of a forwarding database (`RTM_NEWNEIGH`).
private struct Neighbour {
    var interface: Int32
    var isPermanent: Bool
    /// Whether the entry is the interface's own, and not that of the bridge to which the interface belongs.
    var isOfInterface: Bool
    var address: [UInt8]
    var hardwareAddress: [UInt8]

    /// Nil if the message is truncated.
    init?(_ message: NetlinkMessage) {
        guard let (header, attributes) = message.header(ndmsg.self) else { return nil }
        interface = header.ndm_ifindex
        isPermanent = header.ndm_state & UInt16(NUD_PERMANENT) != 0
        isOfInterface = header.ndm_flags & UInt8(NTF_SELF) != 0
        address = attributes.first(Int(NDA_DST))?.array ?? []
        hardwareAddress = attributes.first(Int(NDA_LLADDR))?.array ?? []
    }
}
