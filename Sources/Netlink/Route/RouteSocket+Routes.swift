import CNetlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension RouteSocket {
    /// Looks up the route to an address as for a packet that the namespace itself sends. Nil if such a packet cannot be
    /// sent.
    ///
    /// - Parameter address: the four or sixteen bytes of the address.
    package mutating func route(to address: [UInt8]) throws(Errno) -> RouteEntry? {
        let header = RouteEntry.question(address, asItStands: true)
        var entry: RouteEntry?
        do {
            try perform(Int(RTM_GETROUTE), header: header) {
                $0.put(Int(RTA_DST.rawValue), bytes: address)
            } answer: {
                entry = RouteEntry($0)
            }
        } catch {
            // There is no route, or one that exists to refuse packets: unreachable, prohibit, blackhole.
            guard RouteEntry.isRefusal(error) || error == .networkUnreachable else { throw error }
        }
        return entry
    }
}

extension RouteSocket {
    /// Whether a route or a routing rule exists to refuse packets to an address: unreachable, prohibit, blackhole. An
    /// address without any route is not refused in this sense.
    package mutating func isRefused(_ address: [UInt8]) throws(Errno) -> Bool {
        let header = RouteEntry.question(address, asItStands: false)
        do {
            try perform(Int(RTM_GETROUTE), header: header) { $0.put(Int(RTA_DST.rawValue), bytes: address) }
        } catch {
            if RouteEntry.isRefusal(error) { return true }
            guard error == .networkUnreachable else { throw error }
        }
        return false
    }
}
