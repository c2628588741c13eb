public import IPVSKit
public import RuleKit

/// A path from a published port to destinations that take no new connections. It stays until its last connection has
/// ended, or its time is over; that of a task that drains stays as long as the task drains.
public struct RetiringPath: Hashable, Sendable {
    /// The mark of the path's IPVS services.
    public var mark: FirewallMark
    /// The published port of the path's connections.
    public var binding: PortBinding
    /// The ports in the tasks, of a range: its destinations say none. Nil for a single port.
    public var targets: ClosedRange<UInt16>?
    /// The destinations that still have connections, or may have some.
    public var destinations: Set<Destination.ID>
    /// The attached tasks behind the destinations that have left the spec. Their interfaces stay as long as the path.
    public var tasks: [SpecTask]
    /// When the path stopped taking new connections.
    public var since: BootTime
    /// When the path is removed even if it still has connections. Nil: never.
    public var until: BootTime?

    /// A path by its parts.
    public init(
        mark: FirewallMark, binding: PortBinding, targets: ClosedRange<UInt16>? = nil,
        destinations: Set<Destination.ID>, tasks: [SpecTask] = [],
        since: BootTime, until: BootTime? = nil
    ) {
        self.mark = mark
        self.binding = binding
        self.targets = targets
        self.destinations = destinations
        self.tasks = tasks
        self.since = since
        self.until = until
    }
}
