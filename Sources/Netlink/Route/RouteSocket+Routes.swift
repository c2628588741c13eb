import CNetlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension RouteSocket {
    /// Gives an interface an IPv4 address, which brings the route to its subnet once the interface is up.
    package mutating func add(
        address: UInt32, prefixLength: Int, to index: Int32
    ) throws(Errno) {
        var header = ifaddrmsg()
        header.ifa_family = UInt8(AF_INET)
        header.ifa_prefixlen = UInt8(prefixLength)
        header.ifa_index = UInt32(index)
        try perform(Int(RTM_NEWADDR), flags: Int(NLM_F_CREATE) | Int(NLM_F_EXCL), header: header) {
            $0.put(Int(IFA_LOCAL), bigEndian: address)
            $0.put(Int(IFA_ADDRESS), bigEndian: address)
        }
    }

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
