public import IPVSKit
public import RuleKit

/// What this node has put or changed in one place and must be able to take back.
public struct Holdings: Equatable, Sendable {
    /// The name below `/run/netns` of the place's network namespace, if it was made for the place.
    public var namespace: String?
    /// The names of the interfaces that were made.
    public var links: Set<String> = []
    /// The firewall marks whose IPVS services are this node's.
    public var marks: [FirewallMark: OwnedMark] = [:]
    /// The tool that carries the rules. Nil where there are none.
    public var rules: RuleTool?
    /// The tool that carried the rules before, until its own are gone.
    public var formerRules: RuleTool?
    /// The settings that were changed.
    public var settings: [Sysctl: OriginalSetting] = [:]
    /// Who else may have needed forwarding when it was switched on, in words: forwarding that somebody has come to need since
    /// stays on.
    public var routers: Set<String> = []
    /// For how many seconds IPVS remembered an idle TCP connection before the first write.
    public var originalTCPTimeoutSeconds: UInt32?
    /// The ports that were put into `ip_local_reserved_ports`, which others write, too.
    public var reservedPorts: [ClosedRange<UInt16>] = []
    /// The ports of bridges that were set to hairpin mode.
    public var hairpinPorts: Set<String> = []
    /// The UDP ports whose flows conntrack is to forget, until it has.
    public var staleFlows: Set<PortBinding> = []
    /// The paths that are removed once they have no connections left.
    public var retiring: [RetiringPath] = []
    /// Why this host cannot carry the place, if it is one that the mesh can do without.
    public var refusal: String?

    /// Nothing.
    public init() {}

    /// Whether there is nothing to take back and nothing to remember.
    public var isEmpty: Bool { self == Holdings() }
}
