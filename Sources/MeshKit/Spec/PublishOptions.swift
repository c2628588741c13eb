public import IPVSKit
public import RuleKit

/// Options of a port when it is published. Nil keeps the present value; a new port has the default.
public struct PublishOptions: Hashable, Sendable {
    /// How connections are spread over the tasks. The scheduler holds for all ports of the service.
    public var scheduler: Scheduler?
    /// For how many seconds after its last connection a client goes to the same task; 0 switches this off.
    public var stickySeconds: UInt32?
    /// The networks from which clients may connect; empty: everywhere.
    public var allowed: [IPPrefix]?
    /// Whose address tasks see as the source.
    public var sourceIP: SourceIP?
    /// How long open connections go on when their task or the port leaves.
    public var drain: DrainLimit?
    /// The number of connections from which on a task gets no new ones; 0: no limit.
    public var maxConnections: UInt32?

    /// The balancer that serves the ports of the service. It holds for all ports of the service.
    public var balancing: Balancing?
    /// How it is found out whether tasks can serve. It holds for the service. Nil in the inner sense switches it off.
    public var healthCheck: HealthCheck??
    /// For how many seconds a task that is new or healthy again has less than its share of new connections; 0 switches
    /// this off. It holds for the service.
    public var slowStartSeconds: UInt32?

    /// Options that keep everything, unless the arguments say otherwise.
    public init(
        scheduler: Scheduler? = nil, stickySeconds: UInt32? = nil, allowed: [IPPrefix]? = nil,
        sourceIP: SourceIP? = nil, drain: DrainLimit? = nil, maxConnections: UInt32? = nil, balancing: Balancing? = nil,
        healthCheck: HealthCheck?? = nil, slowStartSeconds: UInt32? = nil
    ) {
        self.scheduler = scheduler
        self.stickySeconds = stickySeconds
        self.allowed = allowed
        self.sourceIP = sourceIP
        self.drain = drain
        self.maxConnections = maxConnections
        self.balancing = balancing
        self.healthCheck = healthCheck
        self.slowStartSeconds = slowStartSeconds
    }
}
