public import IPVSKit
public import RuleKit

/// Everything that this node has put or changed in one place and must be able to take back.
public struct Holdings: Equatable, Sendable {
    /// The name of the place's network namespace below `/run/netns`, if the mesh made the namespace.
    public var namespace: String?
    /// The names of the interfaces that the mesh made.
    public var links: Set<String> = []
    /// The firewall marks whose IPVS services are this node's.
    public var marks: [FirewallMark: OwnedMark] = [:]
    /// The tool that carries the rules. Nil if there are none.
    public var rules: RuleTool?
    /// The tool that carried the rules before, until its rules are gone.
    public var formerRules: RuleTool?
    /// Whether iptables lets the path to the sandbox pass by rules of ours, although another tool carries the rules.
    public var hasPassage = false
    /// The settings that the mesh has changed.
    public var settings: [Sysctl: OriginalSetting] = [:]
    /// Who else may have needed forwarding when the mesh switched it on, in words. If somebody has come to need it
    /// since, it stays on.
    public var routers: [Sysctl: Set<String>] = [:]
    /// The timeout of idle TCP connections in IPVS before the first write, in seconds.
    public var originalTCPTimeoutSeconds: UInt32?
    /// The ports that the mesh has added to `ip_local_reserved_ports`, which others write, too.
    public var reservedPorts: [ClosedRange<UInt16>] = []
    /// The bridge ports that the mesh has set to hairpin mode.
    public var hairpinPorts: Set<String> = []
    /// The UDP ports whose flows still have to be deleted from conntrack.
    public var staleFlows: Set<PortBinding> = []
    /// The paths that are removed once their last connection has ended.
    public var retiring: [RetiringPath] = []
    /// Why this host refused the place; nil if it did not. Only optional places can be refused.
    public var refusal: String?

    /// Empty holdings.
    public init() {}

    /// Whether there is nothing to take back and nothing to remember.
    public var isEmpty: Bool { self == Holdings() }
}
