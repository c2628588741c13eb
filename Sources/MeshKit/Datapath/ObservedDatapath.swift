public import IPVSKit
public import RuleKit

/// What one node's kernel does hold, as far as it concerns the mesh, place by place.
public struct ObservedDatapath: Sendable {
    /// The places that were looked at.
    public var places: [PlaceID: ObservedPlace] = [:]
    /// The rest of what decides what the kernel should hold.
    package var node = NodeFacts()

    /// What was found in a place: nothing where nobody looked.
    public subscript(place: PlaceID) -> ObservedPlace {
        get { places[place] ?? ObservedPlace() }
        set { places[place] = newValue }
    }

    /// The marks of all services of the node's own namespace.
    public var marks: Set<FirewallMark> { Set(self[.node].table.entries.keys.compactMap(\.firewallMark)) }
    /// The services of the node's own namespace with counters, where those were asked for.
    public var services: [VirtualServiceStatus] { self[.node].services }
}

/// What was found in one place.
public struct ObservedPlace: Sendable {
    /// What a place's name stands for.
    public enum Existence: Hashable, Sendable {
        /// A network namespace.
        case namespace
        /// Something else by the name, as the file of a namespace that is gone.
        case somethingElse
    }

    /// Whether the place exists.
    public var existence = Reading<Existence>.absent
    /// Every service of the namespace, ours or not.
    public var table = Table()
    /// The same with counters, where they were asked for.
    public var services: [VirtualServiceStatus] = []
    /// IPVS's timeouts.
    public var timeouts = Timeouts()
    /// The rules that are ours.
    public var rules = ObservedRules()
    /// What the rules were compared with. Nil where nobody looked.
    package var role: RuleRole?
    /// What is left of the rules of a tool that was used before.
    public var formerRules: ObservedRules?
    /// The settings that were asked for.
    public var sysctls: [Sysctl: Reading<String>] = [:]
    /// The interfaces that were asked for.
    package var links: [String: Reading<ObservedLink>] = [:]
    /// Who else uses addresses that our links claim, in words, by the name of the link.
    package var claimants: [String: String] = [:]
    /// How many connections that may still move data each destination of a retiring path has.
    package var connections: [RetiringDestination: Int] = [:]

    /// Nothing.
    public init() {}
}

/// A destination of a service of ours that takes no new connections.
package struct RetiringDestination: Hashable, Sendable {
    package var service: VirtualService.ID
    package var destination: Destination.ID

    package init(_ destination: Destination.ID, of service: VirtualService.ID) {
        self.service = service
        self.destination = destination
    }
}
