public import IPVSKit
public import RuleKit

/// What one node's kernel holds at present, as far as it concerns the mesh, place by place.
public struct ObservedDatapath: Equatable, Sendable {
    /// The observed places.
    public var places: [PlaceID: ObservedPlace] = [:]
    /// The properties of the node that decide what its kernel should hold.
    package var node = NodeFacts()

    /// What was found in a place; an absent, empty place if it was not observed.
    public subscript(place: PlaceID) -> ObservedPlace {
        get { places[place] ?? ObservedPlace() }
        set { places[place] = newValue }
    }

    /// The marks of all services of the node's own namespace.
    public var marks: Set<FirewallMark> { Set(self[.node].table.entries.keys.compactMap(\.firewallMark)) }
    /// The services of published ports with their counters, of the node's own balancer and of the sandbox; empty unless
    /// counters were requested.
    public var services: [VirtualServiceStatus] { self[.node].services + self[.sandbox].services }
}

/// What was found in one place.
public struct ObservedPlace: Equatable, Sendable {
    /// What a place's name stands for.
    public enum Existence: Hashable, Sendable {
        /// A network namespace.
        case namespace
        /// The name belongs to something else, for example to the file of a namespace that is gone.
        case somethingElse
    }

    /// Whether the place exists, and what its name stands for.
    public var existence = Reading<Existence>.absent
    /// All IPVS services of the namespace, including those of other programs.
    public var table = Table()
    /// The same services with their counters; empty unless counters were requested.
    public var services: [VirtualServiceStatus] = []
    /// The timeouts of IPVS.
    public var timeouts = Timeouts()
    /// The rules of the mesh.
    public var rules = ObservedRules()
    /// The owner that the rules of the mesh name, whichever tool carries them.
    public var owner: RuleOwner?
    /// The role that the rules were compared with. Nil if the rules were not read.
    package var role: RuleRole?
    /// What remains of the rules that another tool carried before.
    public var formerRules: ObservedRules?
    /// The rules by which iptables lets the path to the sandbox pass, if another tool carries all other rules.
    public var passage: ObservedRules?
    /// The settings that the outline asks for.
    public var sysctls: [Sysctl: Reading<String>] = [:]
    /// The interfaces that the outline asks for, by name.
    package var links: [String: Reading<ObservedLink>] = [:]
    /// The routing rules of the mesh.
    package var routingRules: Set<RoutingRule> = []
    /// For each missing link end, by interface name: who else uses an address that the end claims, in words.
    package var claimants: [String: String] = [:]
    /// The number of connections that may still transfer data, for each destination of a retiring path.
    package var connections: [RetiringDestination: Int] = [:]
    /// In a namespace of the mesh's own: the interfaces that are not the mesh's.
    package var strangers: Set<String> = []

    /// A place of which nothing was found.
    public init() {}
}

/// A destination of one of the mesh's services that takes no new connections.
package struct RetiringDestination: Hashable, Sendable {
    package var service: VirtualService.ID
    package var destination: Destination.ID

    package init(_ destination: Destination.ID, of service: VirtualService.ID) {
        self.service = service
        self.destination = destination
    }
}
