public import IPVSKit
public import RuleKit

/// What can be said of a port when it is published. Nil leaves it as it is, for a new port as it is by default.
public struct PublishOptions: Hashable, Sendable {
    /// How a task is chosen: for all ports of the service.
    public var scheduler: Scheduler?
    /// For how many seconds a client goes to the task it had; 0 ends it.
    public var stickySeconds: UInt32?
    /// Where clients may come from; empty: everywhere.
    public var allowed: [IPPrefix]?
    /// Whose address tasks see.
    public var sourceIP: SourceIP?

    /// Nothing, unless said otherwise.
    public init(
        scheduler: Scheduler? = nil, stickySeconds: UInt32? = nil, allowed: [IPPrefix]? = nil,
        sourceIP: SourceIP? = nil
    ) {
        self.scheduler = scheduler
        self.stickySeconds = stickySeconds
        self.allowed = allowed
        self.sourceIP = sourceIP
    }
}
