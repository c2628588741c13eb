#if canImport(Glibc)
    import Glibc
#endif

/// The family of an address: the kernel's `AF_INET` and `AF_INET6`, the two that IPVS knows.
public enum AddressFamily: UInt16, Sendable, Hashable, Comparable, CaseIterable, CustomStringConvertible {
    /// `AF_INET`.
    case ipv4 = 2
    /// `AF_INET6`.
    case ipv6 = 10

    /// `IPv4` or `IPv6`.
    public var description: String {
        switch self {
        case .ipv4: "IPv4"
        case .ipv6: "IPv6"
        }
    }

    /// IPv4 before IPv6.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
}
