/// A kernel setting of a network namespace, by its path below `/proc/sys`.
public struct Sysctl: Hashable, Sendable, Comparable, CustomStringConvertible, RawRepresentable, CodingKeyRepresentable
{
    /// `net/ipv4/ip_forward`: with slashes, since the name of an interface may hold a dot.
    public let rawValue: String

    /// A setting by its path below `/proc/sys`.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// Replies of tasks cross the node.
    public static let ipv4Forwarding = Self(rawValue: "net/ipv4/ip_forward")
    /// Replies of IPv6 tasks cross the node.
    public static let ipv6Forwarding = Self(rawValue: "net/ipv6/conf/all/forwarding")
    /// Balanced connections are known to conntrack, which SNAT takes.
    public static let ipvsConntrack = Self(rawValue: "net/ipv4/vs/conntrack")
    /// Connections to a removed destination end with their next packet, instead of vanishing in silence.
    public static let expireNoDestination = Self(rawValue: "net/ipv4/vs/expire_nodest_conn")
    /// A persistent client leaves a destination of weight 0.
    public static let expireQuiescentTemplate = Self(rawValue: "net/ipv4/vs/expire_quiescent_template")
    /// A client's port that is used again is scheduled again, and not sent to a destination that drains.
    public static let connectionReuse = Self(rawValue: "net/ipv4/vs/conn_reuse_mode")
    /// Ports that the node does not take for connections of its own.
    public static let reservedPorts = Self(rawValue: "net/ipv4/ip_local_reserved_ports")
    /// Where the node takes them from.
    static let localPorts = Self(rawValue: "net/ipv4/ip_local_port_range")

    /// What `uname -r` prints.
    static let kernelRelease = Self(rawValue: "kernel/osrelease")

    /// Whether iptables and nftables see what bridges pass on; with br_netfilter alone.
    static let bridgesThroughIPTables = Self(rawValue: "net/bridge/bridge-nf-call-iptables")
    /// The same for IPv6.
    static let bridgesThroughIP6Tables = Self(rawValue: "net/bridge/bridge-nf-call-ip6tables")

    /// Whether an interface takes router advertisements: 2, even while forwarding.
    public static func acceptRouterAdvertisements(_ interface: String) -> Self {
        Self(rawValue: "net/ipv6/conf/\(interface)/accept_ra")
    }

    /// Whether the node minds redirects. The kernel sets it to the contrary of `ip_forward` when that is written.
    package static let acceptRedirects = Self(rawValue: "net/ipv4/conf/all/accept_redirects")

    /// Those of a balancer that are read at each pass.
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
