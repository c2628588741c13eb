import CNetlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension RouteSocket {
    /// Looks an address up as a packet of the namespace's own would be. Nil where such a packet cannot be sent.
    ///
    /// - Parameter address: its four or sixteen bytes.
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
            // None, or one that is there to stop it: unreachable, prohibit, blackhole.
            guard RouteEntry.isRefusal(error) || error == .networkUnreachable else { throw error }
        }
        return entry
    }
}

extension RouteSocket {
    /// Whether an entry of a routing table, or a rule, is there to stop what is sent to an address: unreachable,
    /// prohibit, blackhole. No entry at all is none.
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
