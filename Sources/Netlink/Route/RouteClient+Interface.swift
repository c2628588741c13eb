import CNetlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The addresses of an interface.
extension RouteClient {
    /// Adds an address to an interface, which brings the route to its network once the interface is up. An IPv6 address
    /// is usable at once, without the check whether another host has it.
    ///
    /// - Parameters:
    ///   - address: the four or sixteen bytes of the address.
    ///   - isDeprecated: gives an IPv6 address no preferred lifetime, so that the kernel never chooses it as a source.
    package func add(
        address: [UInt8], prefixLength: Int, isDeprecated: Bool = false, to index: Int32
    ) async throws(NetlinkError) {
        let flags = NetlinkFlags.create | NetlinkFlags.exclusive
        try await perform(Int(RTM_NEWADDR), flags: flags, header: addressHeader(address, prefixLength, index)) {
            $0.put(Int(IFA_LOCAL), bytes: address)
            $0.put(Int(IFA_ADDRESS), bytes: address)
            if isDeprecated {
                let times = ifa_cacheinfo(ifa_prefered: 0, ifa_valid: .max, cstamp: 0, tstamp: 0)
                $0.put(Int(IFA_CACHEINFO), bytes: withUnsafeBytes(of: times) { Array($0) })
            }
        }
    }

    /// Removes an address; one that is gone already is no error. The kernel removes IPv6 addresses itself when
    /// `disable_ipv6` is written.
    package func remove(address: [UInt8], prefixLength: Int, from index: Int32) async throws(NetlinkError) {
        do throws(NetlinkError) {
            try await perform(Int(RTM_DELADDR), header: addressHeader(address, prefixLength, index)) {
                $0.put(Int(IFA_LOCAL), bytes: address)
                $0.put(Int(IFA_ADDRESS), bytes: address)
            }
        } catch {
            guard error.errno == .addressNotAvailable else { throw error }
        }
    }

    private func addressHeader(_ address: [UInt8], _ prefixLength: Int, _ index: Int32) -> ifaddrmsg {
        var header = ifaddrmsg()
        header.ifa_family = UInt8(address.count == 4 ? AF_INET : AF_INET6)
        header.ifa_prefixlen = UInt8(prefixLength)
        header.ifa_index = UInt32(index)
        if address.count != 4 { header.ifa_flags = UInt8(IFA_F_NODAD) }
        return header
    }
}
