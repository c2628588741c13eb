public import IPVSKit
public import RuleKit

/// What one node's kernel should hold for the mesh.
public struct Datapath: Equatable, Sendable {
    /// The services by mark and their destinations.
    public var ipvs = Table()
    /// Marks and SNAT.
    public var rules = RuleSet()
    /// Settings that the rest needs.
    public var sysctls: [Sysctl: String] = [:]
}

/// What one node's kernel does hold, as far as it concerns the mesh.
public struct ObservedDatapath: Sendable {
    /// Every service of the namespace, ours or not, with counters.
    public var services: [VirtualServiceStatus] = []
    /// The rules that are ours.
    public var rules = ObservedRules()
    /// The values of ``Sysctl/all``; what the kernel does not have is not in here.
    public var sysctls: [Sysctl: String] = [:]
    /// Interfaces with routes from router advertisements, which forwarding would make the kernel ignore.
    public var interfacesWithRouterAdvertisements: Set<String> = []

    /// The marks of all services.
    public var marks: Set<FirewallMark> { Set(services.compactMap(\.id.firewallMark)) }
}

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

    /// Whether an interface takes router advertisements: 2, even while forwarding.
    public static func acceptRouterAdvertisements(_ interface: String) -> Self {
        Self(rawValue: "net/ipv6/conf/\(interface)/accept_ra")
    }

    /// Those that are read at each pass.
    static let all = [ipv4Forwarding, ipv6Forwarding, ipvsConntrack, expireNoDestination, expireQuiescentTemplate]

    /// By path.
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.rawValue < rhs.rawValue }
    /// The path below `/proc/sys`.
    public var description: String { rawValue }
}

extension Sysctl: Codable {}
