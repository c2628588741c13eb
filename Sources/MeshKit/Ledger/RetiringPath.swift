public import IPVSKit
public import RuleKit

/// A way from a published port to destinations that takes no new connections, and stays until it has none left.
public struct RetiringPath: Hashable, Sendable {
    /// The mark of its IPVS services.
    public var mark: FirewallMark
    /// The port that its connections came by.
    public var binding: PortBinding
    /// The destinations that still have connections, or may have some.
    public var destinations: Set<Destination.ID>
    /// When it stopped taking new connections.
    public var since: BootTime
    /// When it is removed even if it has connections then. Nil: never.
    public var until: BootTime?

    /// A path by its parts.
    public init(
        mark: FirewallMark, binding: PortBinding, destinations: Set<Destination.ID>, since: BootTime,
        until: BootTime? = nil
    ) {
        self.mark = mark
        self.binding = binding
        self.destinations = destinations
        self.since = since
        self.until = until
    }
}
