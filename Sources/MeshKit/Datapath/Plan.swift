public import IPVSKit
public import RuleKit

/// The ordered steps from the observed datapath to the wanted one.
public struct Plan: Hashable, Sendable {
    /// One step: a change, its place and its phase.
    public struct Step: Hashable, Sendable {
        /// The place in which the change is made.
        public var place: PlaceID
        /// The phase in which the change is made.
        public var phase: Phase
        /// The change.
        public var change: Change
        /// The optional place that the mesh does without if the kernel refuses the step. Nil if the pass ends then.
        public var purpose: PlaceID?
    }

    /// What a step changes. It is one message to the kernel, one transaction, or a few messages that belong together.
    public enum Change: Hashable, Sendable {
        /// Makes or deletes the place's namespace.
        case namespace(NamespaceChange)
        /// Makes, repairs or deletes an interface.
        case link(LinkChange)
        /// Adds a routing rule to the place, or removes it.
        case routing(RoutingRule, isWanted: Bool)
        /// Writes a kernel setting.
        case sysctl(SysctlChange)
        /// Sets how long IPVS remembers an idle established TCP connection, in seconds.
        case tcpTimeout(old: UInt32?, new: UInt32)
        /// Switches hairpin mode of a bridge port on or off. In hairpin mode, the bridge may send a packet back through
        /// the port on which it arrived.
        case hairpin(port: String, Bool)
        /// Changes the IPVS table.
        case ipvs(IPVSKit.Change)
        /// Changes the rules that a tool has written.
        case rules(RuleChange, RuleTool)
        /// Deletes tracked flows that lead to destinations which no longer exist.
        case flows(StaleFlows)
    }

    /// The steps in the order in which they are taken.
    public private(set) var steps: [Step]
    /// Notes on everything that the plan leaves out, with the reasons: parts that could not be read, places that this
    /// host refused before, objects that belong to somebody else.
    public var notes: [String]
    /// The parts of the mesh that this host has refused, and that ports or tasks need. The notes say why.
    public var missing: Set<PlaceID> = []
    /// The paths that take no new connections and stay until their last connection has ended. They are no steps: the
    /// pass that finds them without connections removes them.
    public var retiring: [RetiringConnections] = []
    /// The tasks that have less than their share of new connections, because they are new or were not healthy.
    public var starting: [SlowStarter] = []

    /// Whether the kernel holds what it should.
    public var isEmpty: Bool { steps.isEmpty }

    /// Sorts the steps by phase, and within a phase by the rank of their places. Steps of one place and phase keep the
    /// order in which they are given.
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

    /// The plan without the given steps, which were not taken.
    func without(_ failed: [Step]) -> Plan {
        guard !failed.isEmpty else { return self }
        var plan = self
        plan.steps.removeAll { failed.contains($0) }
        return plan
    }

    /// The steps and notes of this plan, followed by those of a later one.
    func followed(by other: Plan) -> Plan {
        var both = self
        both.steps += other.steps
        both.notes += other.notes.filter { !both.notes.contains($0) }
        both.retiring = other.retiring
        both.starting = other.starting
        return both
    }
}

/// A change to a namespace of the mesh.
public enum NamespaceChange: Hashable, Sendable {
    /// Makes a namespace and gives it the name.
    case make(name: String)
    /// Removes the name, and with it the namespace and its contents.
    case remove(name: String)
}

/// A change to an interface of the mesh.
public enum LinkChange: Hashable, Sendable {
    /// Makes the link with all its ends, down and without addresses. The faults say why an existing link has to be
    /// replaced.
    case make(Link, faults: [String])
    /// Gives an end whatever it lacks, and raises it. The faults say what was wrong with an existing end.
    case raise(LinkEnd, LinkMend, faults: [String])
    /// Deletes an end, and its other end with it.
    case remove(LinkEnd.ID)
}

/// The differences between an end as it is and as it should be.
public struct LinkMend: Hashable, Sendable {
    /// The alias to write; nil if the end has it.
    public var alias: String?
    /// The hardware address to set; nil if the end has it.
    public var hardwareAddress: HardwareAddress?
    /// The addresses to add before others are removed.
    public var addresses: Set<InterfacePrefix> = []
    /// The IPv6 link-local address to give back to the end; nil if it has one. Without it, the kernel finds no neighbour
    /// for forwarded packets.
    public var linkLocal: IPAddress?
    /// The greatest length of a packet to set, in bytes; nil if the end has it.
    public var mtu: UInt32?
    /// The bridge whose port the end is to become; nil if it is one.
    public var bridge: String?
    /// Whether the port is to be isolated; nil if it is as it should be.
    public var isolation: Bool?
    /// The routes to add, which the end lacks, or loses while its addresses are changed.
    public var routes: Set<Route> = []
    /// Permanent neighbour entries to write.
    public var neighbours: [IPAddress: HardwareAddress] = [:]
    /// Entries of the forwarding database to write.
    public var forwarding: [HardwareAddress: IPAddress] = [:]
    /// Routes of the mesh to remove.
    public var strayRoutes: Set<Route> = []
    /// Permanent neighbours to remove, which the end should not have.
    public var strayNeighbours: Set<IPAddress> = []
    /// Entries of the forwarding database to remove.
    public var strayForwarding: Set<HardwareAddress> = []
    /// Addresses to remove, in order: those that the mesh did not give to the end, and those that the kernel would remove
    /// with them.
    public var strayAddresses: [InterfacePrefix] = []
    /// The addresses to add after others were removed, beside which they could not be added, or not to stay.
    public var lateAddresses: Set<InterfacePrefix> = []
    /// Whether the interface has to be raised.
    public var raises = false

    /// Whether the end is as it should be.
    public var isEmpty: Bool { self == Self() }
}

/// A new value for a kernel setting.
public struct SysctlChange: Hashable, Sendable {
    /// The setting.
    public var sysctl: Sysctl
    /// The value found; nil if the setting did not exist when the place was observed.
    public var old: String?
    /// The value to write.
    public var new: String
}

/// UDP flows of a published port that have to be deleted. Otherwise conntrack would send a client's next datagram to
/// the destination of the last one.
public struct StaleFlows: Hashable, Sendable {
    /// The published port to which the clients send.
    public var binding: PortBinding
    /// The tasks that the flows lead to; nil for all flows of the port.
    public var tasks: Set<IPAddress>?
}
