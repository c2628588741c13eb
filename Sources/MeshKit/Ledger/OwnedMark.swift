public import IPVSKit
public import RuleKit

/// A firewall mark of this node, with the port and the destinations of its IPVS services.
public struct OwnedMark: Hashable, Sendable {
    /// The port that has the mark. Nil if it comes from an earlier version, which recorded only the marks of
    /// unpublished ports.
    public var binding: PortBinding?
    /// The destinations of the mark's IPVS services, of both families.
    public var destinations: Set<Destination.ID>

    /// A mark by its port and destinations.
    public init(binding: PortBinding?, destinations: Set<Destination.ID> = []) {
        self.binding = binding
        self.destinations = destinations
    }
}
