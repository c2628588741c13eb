public import IPVSKit
public import RuleKit

/// What one node's kernel should hold for the mesh.
public struct Datapath: Equatable, Sendable {
    /// The services by mark and their destinations.
    public var ipvs = Table()
    /// The rules of the balancer's namespace.
    public var rules = RuleSet()
    /// The rules of the namespace through which connections to 127.0.0.1 go; nil where there is no such namespace.
    public var detour: RuleSet?
    /// Settings that the rest needs.
    public var sysctls: [Sysctl: String] = [:]
    /// How long IPVS remembers an established TCP connection that is idle, in seconds; nil: as it is.
    public var tcpTimeoutSeconds: UInt32?
    /// Published ports that the node is not to take for connections of its own.
    public var reservedPorts: [ClosedRange<UInt16>] = []
    /// Ports of bridges that must turn packets back for a task to reach itself.
    public var hairpinPorts: Set<String> = []
}

/// What one node's kernel does hold, as far as it concerns the mesh.
public struct ObservedDatapath: Sendable {
    /// Every service of the namespace, ours or not.
    public var table = Table()
    /// The same with counters, where they were asked for.
    public var services: [VirtualServiceStatus] = []
    /// The rules that are ours.
    public var rules = ObservedRules()
    /// What is left of the rules of a tool that was used before.
    public var formerRules: ObservedRules?
    /// The same in the namespace of the detour.
    public var formerDetourRules: ObservedRules?
    /// The way to the namespace of the detour.
    var detour = ObservedDetour.absent
    /// The rules in there.
    public var detourRules = ObservedRules()
    /// The values of ``Sysctl/all``; what the kernel does not have is not in here.
    public var sysctls: [Sysctl: String] = [:]
    /// IPVS's timeouts.
    public var timeouts = Timeouts()
    /// The rest of what decides what the kernel should hold.
    package var node = NodeFacts()

    /// The marks of all services.
    public var marks: Set<FirewallMark> { Set(table.entries.keys.compactMap(\.firewallMark)) }
}
