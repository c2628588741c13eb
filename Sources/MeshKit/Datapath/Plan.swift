public import IPVSKit
public import RuleKit

/// The ordered steps from the datapath observed to the datapath wanted.
public struct Plan: Hashable, Sendable {
    /// One step: what is changed, where and when.
    public struct Step: Hashable, Sendable {
        /// Where it is done.
        public var place: PlaceID
        /// When it is done.
        public var phase: Phase
        /// What is done.
        public var change: Change
        /// The optional place that is done without where the kernel refuses the step; nil where the pass ends then.
        public var purpose: PlaceID?
    }

    /// What a step changes: one message to the kernel, one transaction, or a few that belong together.
    public enum Change: Hashable, Sendable {
        /// Makes or deletes the place's namespace.
        case namespace(NamespaceChange)
        /// Makes, mends or deletes an interface.
        case link(LinkChange)
        /// Writes a kernel setting.
        case sysctl(SysctlChange)
        /// Sets how long IPVS remembers an established TCP connection that is idle, in seconds.
        case tcpTimeout(old: UInt32?, new: UInt32)
        /// Makes a bridge give packets back to the port that they came by, or no longer.
        case hairpin(port: String, Bool)
        /// Changes the IPVS table.
        case ipvs(IPVSKit.Change)
        /// Changes the rules that a tool carries.
        case rules(RuleChange, RuleTool)
        /// Deletes flows that conntrack knows and that lead where nobody is any more.
        case flows(StaleFlows)
    }

    /// In the order in which they are taken.
    public private(set) var steps: [Step]
    /// What the plan does not do, and why: what could not be looked at, what this host refused before, what is somebody
    /// else's.
    public var notes: [String]

    /// Whether the kernel holds what it should.
    public var isEmpty: Bool { steps.isEmpty }

    /// Puts steps in order: by phase, and within a phase by the rank of their places. Steps of one place and phase stay
    /// in the order they are given in.
    init(_ steps: [Step], ranks: [PlaceID: Int] = [:], notes: [String] = []) {
        func key(_ step: Step) -> Int {
            let rank = ranks[step.place] ?? 0
            return step.phase.direction == .up ? -rank : rank
        }
        self.steps = steps.enumerated()
            .sorted { left, right in
                if left.element.phase != right.element.phase { return left.element.phase < right.element.phase }
                return (key(left.element), left.offset) < (key(right.element), right.offset)
            }
            .map(\.element)
        self.notes = notes
    }

    /// Without steps that were not taken.
    func without(_ failed: [Step]) -> Plan {
        guard !failed.isEmpty else { return self }
        var plan = self
        plan.steps.removeAll { failed.contains($0) }
        return plan
    }

    /// What was done in several passes, one after the other.
    func followed(by other: Plan) -> Plan {
        var both = self
        both.steps += other.steps
        both.notes += other.notes.filter { !both.notes.contains($0) }
        return both
    }
}

/// What becomes of a namespace of ours.
public enum NamespaceChange: Hashable, Sendable {
    /// Makes it, under its name.
    case make(name: String)
    /// Takes the name away, and all that is in the namespace with it.
    case remove(name: String)
}

/// What becomes of an interface of ours.
public enum LinkChange: Hashable, Sendable {
    /// Makes the link with all its ends, down and without addresses. The faults say why, where there was one before.
    case make(Link, faults: [String])
    /// Gives an end what it lacks, and raises it. The faults say why, where it stood before.
    case raise(LinkEnd, LinkMend, faults: [String])
    /// Deletes an end, and its other end with it.
    case remove(LinkEnd.ID)
}

/// What an end lacks, and what it has in excess.
public struct LinkMend: Hashable, Sendable {
    /// The alias to write; nil where it is there.
    public var alias: String?
    /// The hardware address to set; nil where it is there.
    public var hardwareAddress: HardwareAddress?
    /// Addresses to add.
    public var addresses: Set<InterfacePrefix> = []
    /// Routes to add.
    public var routes: Set<Route> = []
    /// Permanent neighbours to put.
    public var neighbours: [IPAddress: HardwareAddress] = [:]
    /// Addresses of our networks to take away: they are none of ours.
    public var strayAddresses: Set<InterfacePrefix> = []
    /// Whether it has to be raised.
    public var raises = false

    /// Whether nothing is lacking.
    public var isEmpty: Bool { self == Self() }
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
