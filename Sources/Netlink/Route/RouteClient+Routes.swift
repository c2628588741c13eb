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

    /// Looks up the route to an address as for a packet that the namespace itself sends. Nil if such a packet cannot be
    /// sent.
    ///
    /// - Parameter address: the four or sixteen bytes of the address.
    package func route(to address: [UInt8]) async throws(NetlinkError) -> RouteEntry? {
        do throws(NetlinkError) {
            return try await ask(Int(RTM_GETROUTE), header: RouteEntry.question(address, asItStands: true)) {
                $0.put(Int(RTA_DST.rawValue), bytes: address)
            } parse: {
                RouteEntry($0)
            }
        } catch {
            guard error.isRefusal, RouteEntry.isRefusal(error.errno) || error.errno == .networkUnreachable else {
                throw error
            }
            return nil
        }
    }

    /// Whether a route or a routing rule exists to refuse packets to an address: unreachable, prohibit, blackhole. An
    /// address without any route is not refused in this sense.
    package func isRefused(_ address: [UInt8]) async throws(NetlinkError) -> Bool {
        do throws(NetlinkError) {
            try await perform(Int(RTM_GETROUTE), header: RouteEntry.question(address, asItStands: false)) {
                $0.put(Int(RTA_DST.rawValue), bytes: address)
            }
            return false
        } catch {
            guard error.isRefusal else { throw error }
            if RouteEntry.isRefusal(error.errno) { return true }
            guard error.errno == .networkUnreachable else { throw error }
            return false
        }
    }
}

extension NetlinkError {
    /// Whether the error is the kernel's answer, and not a failure of the socket or of entering the namespace.
    fileprivate var isRefusal: Bool {
        if case .refused = self { true } else { false }
    }
}
