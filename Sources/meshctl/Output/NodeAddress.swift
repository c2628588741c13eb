import IPVSKit

#if canImport(Glibc)
    import Glibc
#endif

/// An address of this node, for the line that says what to try.
enum NodeAddress {
    /// The first address of one of the families that is of use to others; IPv4 before IPv6.
    static func first(for families: [AddressFamily]) -> IPAddress? {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return nil }
        defer { freeifaddrs(list) }
        return sequence(first: list) { $0?.pointee.ifa_next }
            .compactMap { $0?.pointee.ifa_addr.flatMap(address) }
            .filter { families.contains($0.family) && !$0.isLoopback && !$0.isLinkLocal }
            .min { $0.family < $1.family }
    }

    private static func address(_ address: UnsafeMutablePointer<sockaddr>) -> IPAddress? {
        switch CInt(address.pointee.sa_family) {
        case AF_INET:
            address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                IPAddress(ipv4: UInt32(bigEndian: $0.pointee.sin_addr.s_addr))
            }
        case AF_INET6:
            address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                withUnsafeBytes(of: $0.pointee.sin6_addr) {
                    IPAddress(ipv6: UInt128(bigEndian: $0.loadUnaligned(as: UInt128.self)))
                }
            }
        default: nil
        }
    }
}
