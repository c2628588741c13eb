public import IPVSKit
public import RuleKit

/// What stands behind a firewall mark that is this node's: the IPVS services of that mark.
public struct OwnedMark: Hashable, Sendable {
    /// The port that the mark was given to. Nil where an earlier version recorded the mark alone, which it did for ports
    /// that were published no longer.
    public var binding: PortBinding?
    /// The destinations that its IPVS services have, of both families.
    public var destinations: Set<Destination.ID>

    /// What stands behind a mark.
    public init(binding: PortBinding?, destinations: Set<Destination.ID> = []) {
        self.binding = binding
        self.destinations = destinations
    }
}
