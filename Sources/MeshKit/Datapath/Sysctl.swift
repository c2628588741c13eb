import IPVSKit

/// A kernel setting of a network namespace, by its path below `/proc/sys`.
public struct Sysctl: Hashable, Sendable, Comparable, CustomStringConvertible, RawRepresentable, CodingKeyRepresentable
{
    /// The path, such as `net/ipv4/ip_forward`. It is written with slashes, since the name of an interface may contain
    /// a dot.
    public let rawValue: String

    /// A setting by its path below `/proc/sys`.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Whether the node forwards IPv4 packets, as the replies of tasks require.
    public static let ipv4Forwarding = Self(rawValue: "net/ipv4/ip_forward")
    /// Whether the node forwards IPv6 packets, as the replies of IPv6 tasks require.
    public static let ipv6Forwarding = Self(rawValue: "net/ipv6/conf/all/forwarding")
    /// Whether conntrack tracks balanced connections, which masquerading requires.
    public static let ipvsConntrack = Self(rawValue: "net/ipv4/vs/conntrack")
    /// Whether a connection to a removed destination ends with its next packet instead of hanging.
    public static let expireNoDestination = Self(rawValue: "net/ipv4/vs/expire_nodest_conn")
    /// Whether a persistent client leaves a destination of weight 0.
    public static let expireQuiescentTemplate = Self(rawValue: "net/ipv4/vs/expire_quiescent_template")
    /// Whether a new connection from a reused client port is scheduled again, instead of going to a destination that
    /// drains.
    public static let connectionReuse = Self(rawValue: "net/ipv4/vs/conn_reuse_mode")
    /// The ports that the node does not choose as source ports of its own connections.
    public static let reservedPorts = Self(rawValue: "net/ipv4/ip_local_reserved_ports")
    /// The range from which the node chooses source ports.
    static let localPorts = Self(rawValue: "net/ipv4/ip_local_port_range")

    /// The kernel's release, as `uname -r` prints it.
    static let kernelRelease = Self(rawValue: "kernel/osrelease")

    /// Whether iptables and nftables see the IPv4 packets that bridges forward. The setting exists only with
    /// br_netfilter.
    static let bridgesThroughIPTables = Self(rawValue: "net/bridge/bridge-nf-call-iptables")
    /// The same for IPv6.
    static let bridgesThroughIP6Tables = Self(rawValue: "net/bridge/bridge-nf-call-ip6tables")

    /// Whether an interface accepts router advertisements: 0 never, 1 unless it forwards, 2 always.
    public static func acceptRouterAdvertisements(_ interface: String) -> Self {
        Self(rawValue: "net/ipv6/conf/\(interface)/accept_ra")
    }

    /// The settings of an interface that has IPv6 addresses, learns no routes from others, and whose addresses can be used
    /// at once: nobody else has them, so that the kernel need not ask for a second whether somebody does. A host may have
    /// IPv6 switched off for all interfaces, the mesh's included.
    static func quietIPv6(_ interface: String, _ families: Set<AddressFamily>) -> [Sysctl: String] {
        guard families.contains(.ipv6) else { return [:] }
        return [
            Sysctl(rawValue: "net/ipv6/conf/\(interface)/disable_ipv6"): "0",
            .acceptRouterAdvertisements(interface): "0",
            Sysctl(rawValue: "net/ipv6/conf/\(interface)/accept_dad"): "0",
        ]
    }

    /// The setting of an interface of the node by which packets are forwarded. A new interface takes it from `default`,
    /// where it is 0 on hosts that forward between chosen interfaces only.
    static func forwardingIPv4(_ interface: String) -> [Sysctl: String] {
        [Sysctl(rawValue: "net/ipv4/conf/\(interface)/forwarding"): "1"]
    }

    /// Whether the node obeys ICMP redirects. When `ip_forward` is written, the kernel sets this to the opposite value.
    package static let acceptRedirects = Self(rawValue: "net/ipv4/conf/all/accept_redirects")

    /// The settings of a balancer that each pass reads.
    static let ofBalancers: Set<Sysctl> = [
        ipv4Forwarding, ipv6Forwarding, ipvsConntrack, expireNoDestination, expireQuiescentTemplate, connectionReuse,
        reservedPorts, acceptRedirects,
    ]

    /// By path.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
    /// The path below `/proc/sys`.
    public var description: String { rawValue }
}

extension Sysctl: Codable {}
