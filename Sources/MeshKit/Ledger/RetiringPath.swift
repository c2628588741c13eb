public import IPVSKit
public import RuleKit

/// A path from a published port to destinations that take no new connections. It stays until its last connection has
/// ended.
public struct RetiringPath: Hashable, Sendable {
    /// The mark of the path's IPVS services.
    public var mark: FirewallMark
    /// The published port of the path's connections.
    public var binding: PortBinding
    /// The destinations that still have connections, or may have some.
    public var destinations: Set<Destination.ID>
    /// When the path stopped taking new connections.
    public var since: BootTime
    /// When the path is removed even if it still has connections. Nil: never.
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
