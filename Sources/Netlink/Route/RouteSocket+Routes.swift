import CNetlink
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The entry of a routing table that an address is looked up to.
package struct RouteEntry: Hashable, Sendable {
    /// Nil where it names several.
    package var interface: Int32?
    package var prefixLength: Int
    /// Whether the address is the namespace's own.
    package var isLocal: Bool
}

extension RouteSocket {
    /// Looks an address up as a packet of the namespace's own would be. Nil where such a packet cannot be sent.
    ///
    /// - Parameter address: its four or sixteen bytes.
    package mutating func route(to address: [UInt8]) throws(Errno) -> RouteEntry? {
        var header = rtmsg()
        header.rtm_family = UInt8(address.count == 4 ? AF_INET : AF_INET6)
        header.rtm_dst_len = UInt8(address.count * 8)
        // The entry as it stands in the table, instead of what came of it for this address.
        header.rtm_flags = UInt32(RTM_F_FIB_MATCH)
        var entry: RouteEntry?
        do {
            try perform(Int(RTM_GETROUTE), header: header) {
                $0.put(Int(RTA_DST.rawValue), bytes: address)
            } answer: {
                entry = RouteEntry($0)
            }
        } catch {
            // None, or one that is there to stop it: unreachable, prohibit, blackhole.
            guard [.networkUnreachable, .noRouteToHost, .permissionDenied, .invalidArgument].contains(error) else {
                throw error
            }
        }
        return entry
    }
}

extension RouteSocket {
    /// Whether an entry of a routing table, or a rule, is there to stop what is sent to an address: unreachable,
    /// prohibit, blackhole. No entry at all is none.
    package mutating func isRefused(_ address: [UInt8]) throws(Errno) -> Bool {
        var header = rtmsg()
        header.rtm_family = UInt8(address.count == 4 ? AF_INET : AF_INET6)
        header.rtm_dst_len = UInt8(address.count * 8)
        do {
            try perform(Int(RTM_GETROUTE), header: header) { $0.put(Int(RTA_DST.rawValue), bytes: address) }
        } catch {
            if [.noRouteToHost, .permissionDenied, .invalidArgument].contains(error) { return true }
            guard error == .networkUnreachable else { throw error }
        }
        return false
    }
}

extension RouteEntry {
    fileprivate init?(_ message: UnsafeRawBufferPointer) {
        let size = MemoryLayout<rtmsg>.size
        guard message.count >= size else { return nil }
        let header = message.loadUnaligned(as: rtmsg.self)
        prefixLength = Int(header.rtm_dst_len)
        isLocal = Int(header.rtm_type) == Int(RTN_LOCAL)
        let output = Attributes(UnsafeRawBufferPointer(rebasing: message[size...]))
            .first { Int($0.type) == Int(RTA_OIF.rawValue) }
        interface = output?.uint32.map(Int32.init(bitPattern:))
    }
}
