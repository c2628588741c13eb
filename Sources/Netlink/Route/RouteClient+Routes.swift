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

    /// Whether an IPv4 route of any table leads everywhere, or to one half of all addresses, by an interface and by no
    /// other. A host may have a million other routes, which the kernel leaves out if this client lets it filter.
    package func leadsOut(by interface: Int32) async throws(NetlinkError) -> Bool {
        var header = rtmsg()
        header.rtm_family = UInt8(AF_INET)
        let routes = try await list(Int(RTM_GETROUTE), header: header) {
            $0.put(Int(RTA_OIF.rawValue), UInt32(bitPattern: interface))
        } parse: {
            NetworkRoute($0)
        }
        return routes.contains {
            $0.family == UInt8(AF_INET) && $0.interface == interface && $0.prefixLength <= 1
                && Int($0.type) == Int(RTN_UNICAST)
        }
    }

    /// Looks up many routes. It takes little longer than to look up one.
    ///
    /// - Returns: the answer to each question.
    package func answers(to questions: [RouteQuestion]) async throws(NetlinkError) -> [RouteAnswer] {
        let results = try await answers(questions.count) {
            questions[$0].write(to: &$1)
        } parse: {
            RouteEntry($0)
        }
        var answers: [RouteAnswer] = []
        for result in results { answers.append(try RouteAnswer(result)) }
        return answers
    }

    /// The entry of the routing table by which the namespace itself sends packets to an address. Nil if it cannot.
    ///
    /// - Parameters:
    ///   - address: the four or sixteen bytes of the address.
    ///   - interface: looks only at routes through this interface, if it is given.
    package func route(to address: [UInt8], by interface: Int32? = nil) async throws(NetlinkError) -> RouteEntry? {
        try await answers(to: [RouteQuestion(to: address, output: interface)])[0].entry
    }

    /// The source address of a packet that the namespace itself sends to an address, if the sender leaves the choice to
    /// the kernel. Nil if such a packet cannot be sent, or if the namespace has no address for it.
    ///
    /// - Parameter address: the four or sixteen bytes of the address.
    package func source(to address: [UInt8]) async throws(NetlinkError) -> [UInt8]? {
        try await answers(to: [RouteQuestion(to: address, asItStands: false)])[0].entry?.source
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
