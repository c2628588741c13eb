import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension RouteClient {
    /// All addresses of the namespace, of IPv4 and IPv6: one dump of `RTM_GETADDR`.
    package func addresses() async throws(NetlinkError) -> [InterfaceAddress] {
        try await list(Int(RTM_GETADDR), header: ifaddrmsg()) { InterfaceAddress($0) }
    }

    /// All routes of the namespace, of all tables, of IPv4 and IPv6: one dump of `RTM_GETROUTE`.
    package func routes() async throws(NetlinkError) -> [NetworkRoute] {
        // A dump of all families includes the routes of multicast and MPLS, which have headers of the same kind.
        try await list(Int(RTM_GETROUTE), header: rtmsg()) { NetworkRoute($0) }
            .filter { $0.family == UInt8(AF_INET) || $0.family == UInt8(AF_INET6) }
    }

    /// The routes with a protocol number (`RTA_PROTOCOL`), of all tables: one dump of `RTM_GETROUTE` for each family. A
    /// host may have a million other routes, which the kernel leaves out if this client lets it filter.
    package func routes(of origin: UInt8) async throws(NetlinkError) -> [NetworkRoute] {
        var found: [NetworkRoute] = []
        for family in [UInt8(AF_INET), UInt8(AF_INET6)] {
            var header = rtmsg()
            header.rtm_family = family
            header.rtm_protocol = origin
            found += try await list(Int(RTM_GETROUTE), header: header) { NetworkRoute($0) }
                .filter { $0.family == family && $0.origin == origin }
        }
        return found
    }

    /// Looks up the route to an address as for a packet that the namespace itself sends. Nil if such a packet cannot be
    /// sent.
    ///
    /// - Parameters:
    ///   - address: the four or sixteen bytes of the address.
    ///   - interface: looks only at routes through this interface, if it is given.
    package func route(
        to address: [UInt8], by interface: Int32? = nil
    ) async throws(NetlinkError) -> RouteEntry? {
        do throws(NetlinkError) {
            return try await ask(Int(RTM_GETROUTE), header: RouteEntry.question(address, asItStands: true)) {
                $0.put(Int(RTA_DST.rawValue), bytes: address)
                if let interface { $0.put(Int(RTA_OIF.rawValue), UInt32(interface)) }
            } parse: {
                RouteEntry($0)
            }
        } catch {
            // A kernel without the family has no routes of it.
            let isAnswer =
                RouteEntry.isRefusal(error.errno)
                || [.networkUnreachable, .notSupportedOnSocket, .addressFamilyNotSupported].contains(error.errno)
            guard error.isRefusal, isAnswer else { throw error }
            return nil
        }
    }

    /// Whether a route or a routing rule exists to refuse packets to an address: unreachable, prohibit, blackhole. An
    /// address without any route is not refused in this sense.
    package func isRefused(_ address: [UInt8]) async throws(NetlinkError) -> Bool {
        try await output(to: address).isRefused
    }

    /// The index of the interface by which a packet leaves; nil if there is no route, or one that refuses the packet.
    ///
    /// - Parameters:
    ///   - destination: the four or sixteen bytes of the address.
    ///   - source: the packet's source address; nil if it has none yet.
    ///   - input: the index of the interface on which the packet arrives; nil for a packet that the namespace sends.
    ///   - mark: the packet's mark.
    /// - Returns: the interface; or `isRefused` if a route or a routing rule exists to refuse the packet, or if its
    ///   source is behind another interface.
    package func output(
        to destination: [UInt8], from source: [UInt8]? = nil, input: Int32? = nil, mark: UInt32 = 0
    ) async throws(NetlinkError) -> (interface: Int32?, isRefused: Bool) {
        var header = RouteEntry.question(destination, asItStands: false)
        header.rtm_src_len = source == nil ? 0 : header.rtm_dst_len
        let question = header
        do throws(NetlinkError) {
            let entry = try await ask(Int(RTM_GETROUTE), header: question) {
                $0.put(Int(RTA_DST.rawValue), bytes: destination)
                if let source { $0.put(Int(RTA_SRC.rawValue), bytes: source) }
                if let input { $0.put(Int(RTA_IIF.rawValue), UInt32(input)) }
                if mark != 0 { $0.put(Int(RTA_MARK.rawValue), mark) }
            } parse: {
                RouteEntry($0)
            }
            return (entry?.interface, false)
        } catch {
            guard error.isRefusal else { throw error }
            // The source is behind another interface.
            if RouteEntry.isRefusal(error.errno) || error.errno == .improperLink { return (nil, true) }
            guard error.errno == .networkUnreachable else { throw error }
            return (nil, false)
        }
    }

    /// Adds a route through an interface, or changes the existing route to that destination. An existing default route
    /// of the main table is never changed, since it may be somebody else's way out: `EEXIST`. In the table `local`, an
    /// address may belong to several interfaces, so that routes are added beside those of the others.
    ///
    /// - Parameter origin: the protocol number of the route (`RTA_PROTOCOL`).
    package func put(_ route: NewRoute, by index: Int32, origin: UInt8) async throws(NetlinkError) {
        let isExclusive = route.prefixLength == 0 && route.table == 254
        let manner =
            if isExclusive { NetlinkFlags.exclusive } else if route.table == 255 { NetlinkFlags.append } else {
                NetlinkFlags.replace
            }
        try await perform(Int(RTM_NEWROUTE), flags: NetlinkFlags.create | manner, header: route.header(origin)) {
            route.write(to: &$0, index)
        }
    }

    /// Removes a route; one that is gone already is no error.
    package func remove(_ route: NewRoute, by index: Int32, origin: UInt8) async throws(NetlinkError) {
        do throws(NetlinkError) {
            try await perform(Int(RTM_DELROUTE), header: route.header(origin)) { route.write(to: &$0, index) }
        } catch {
            guard error.errno == .noSuchProcess else { throw error }
        }
    }
}

extension NetlinkError {
    /// Whether the error is the kernel's answer, and not a failure of the socket or of entering the namespace.
    fileprivate var isRefusal: Bool {
        if case .refused = self { true } else { false }
    }
}
