public import IPVSKit
public import RuleKit

/// The ordered steps from the datapath observed to the datapath wanted.
public struct Plan: Hashable, Sendable {
    /// One step: one message to the kernel, or one transaction.
    public enum Step: Hashable, Sendable {
        /// Writes a kernel setting.
        case sysctl(SysctlChange)
        /// Sets how long IPVS remembers an established TCP connection that is idle, in seconds.
        case tcpTimeout(old: UInt32?, new: UInt32)
        /// Makes a bridge give packets back to the port that they came by, or no longer.
        case hairpin(port: String, Bool)
        /// Puts up the way to the namespace of the detour, or right; the faults say why.
        case raiseDetour(faults: [String])
        /// Takes it down.
        case dropDetour
        /// Changes the IPVS table.
        case ipvs(Change)
        /// Changes the rules.
        case rules(RuleChange, RulePlace)
        /// Deletes flows that conntrack knows and that lead where nobody is any more.
        case flows(StaleFlows)
    }

    /// In the order in which they are taken.
    public var steps: [Step]

    /// Whether the kernel holds what it should.
    public var isEmpty: Bool { steps.isEmpty }
}

/// Where rules are, and what carries them.
public struct RulePlace: Hashable, Sendable {
    /// A namespace with rules.
    public enum Namespace: Hashable, Sendable {
        /// Where the services are.
        case balancer
        /// Where connections to 127.0.0.1 are turned around.
        case detour
    }

    /// The namespace.
    public var namespace: Namespace
    /// What carries the rules.
    public var tool: RuleTool
}

/// A kernel setting and the value it is to have.
public struct SysctlChange: Hashable, Sendable {
    /// The setting.
    public var sysctl: Sysctl
    /// The value found; nil where the kernel has no such setting.
    public var old: String?
    /// The value wanted.
    public var new: String
}

/// UDP flows of published ports that are to be forgotten: conntrack would send the next datagram of a client where the
/// last one went.
public struct StaleFlows: Hashable, Sendable {
    /// The ports that clients send to.
    public var binding: PortBinding
    /// The tasks whose flows they are; nil for all.
    public var tasks: Set<IPAddress>?
}
