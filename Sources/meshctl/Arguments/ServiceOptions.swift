import ArgumentParser
import IPVSKit
import MeshKit

/// The options that a service has as a whole.
struct ServiceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "How the kernel chooses a task, see SCHEDULERS (default: rr).", valueName: "name"),
        completion: .list(Scheduler.publishable.map(\.rawValue)), transform: SchedulerArgument.parse)
    var scheduler: Scheduler?

    @Option(
        name: .customLong("network"),
        help: ArgumentHelp(
            """
            The balancer of the service. host: the node's own, for tasks that the node's routes reach. ingress: the \
            sandbox, for attached tasks (default: what the service's tasks need).
            """, valueName: "host|ingress"),
        completion: .list(Balancing.allCases.map(\.rawValue)), transform: BalancingArgument.parse)
    var balancing: Balancing?

    @Option(
        help: ArgumentHelp(
            """
            How the agent finds out whether tasks can serve, see HEALTH CHECKS (default: off; what Docker says of containers \
            counts anyway).
            """, valueName: "check|off"),
        transform: HealthArgument.parse)
    var health: HealthArgument?

    @Option(
        name: .customLong("slow-start"),
        help: ArgumentHelp(
            """
            For how long a task that is new, or healthy again, gets less than its share of new connections: from a tenth of \
            it in ten steps to all of it. The agent takes the steps (default: off).
            """, valueName: "time|off"),
        transform: DurationArgument.parse)
    var slowStart: UInt32?

    var options: PublishOptions {
        PublishOptions(
            scheduler: scheduler, balancing: balancing, healthCheck: health.map(\.check), slowStartSeconds: slowStart)
    }

    /// The help of ``scheduler``, ``health`` and ``slowStart``.
    static var discussion: String {
        """
        SCHEDULERS
        \(SchedulerArgument.help)

        HEALTH CHECKS
        \(HealthArgument.help)

        With --slow-start 30s, a task that comes to others gets a tenth of its share of new connections for three seconds, \
        two tenths for the next three, and so on; so does one that was not healthy or drained. While no other task of the \
        service has its whole share, all of them have it at once. It needs a scheduler that spreads by weight: \
        \(Scheduler.startingSlowly.map(\.rawValue).joined(separator: ", ")). Without an agent, each command takes the step \
        that is due.
        """
    }
}

/// The options that each port has of its own.
struct PortOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Send a client back to its task until this long after its last connection; off disables it.",
            valueName: "time"),
        transform: DurationArgument.parse)
    var sticky: UInt32?

    @Option(
        help: ArgumentHelp(
            "Accept only clients from this network, and the node itself. May be repeated; any accepts all clients.",
            valueName: "network"),
        transform: AllowArgument.parse)
    var allow: [AllowArgument] = []

    @Option(
        name: .customLong("source-ip"),
        help: ArgumentHelp(
            """
            The source address that tasks see. keep: the client's. nat: the node's. auto: the client's for attached \
            tasks, and for tasks whose replies come back through this node (see --local of `meshctl task add`); the \
            node's for others.
            """, valueName: "auto|keep|nat"),
        completion: .list(SourceIP.allCases.map(\.rawValue)), transform: SourceIPArgument.parse)
    var sourceIP: SourceIP?

    @Option(
        help: ArgumentHelp(
            """
            How long open connections go on when their task or the port leaves or gets another path: a time, such as 5m; \
            off: not at all; unlimited: until the last one has ended (default: unlimited).
            """, valueName: "time|off|unlimited"),
        transform: DrainArgument.parse)
    var drain: DrainLimit?

    @Option(
        name: .customLong("max-conns"),
        help: ArgumentHelp(
            """
            The number of connections from which on a task gets no new ones by this port, or off. Connections count on \
            each node by itself, closed ones for two minutes more; a task gets new ones again below three quarters.
            """, valueName: "number|off"),
        transform: MaxConnectionsArgument.parse)
    var maxConnections: UInt32?

    /// These options and those of the service.
    func options(with service: ServiceOptions) throws -> PublishOptions {
        var options = service.options
        options.stickySeconds = sticky
        options.allowed = try validating { () throws(InputError) in try AllowArgument.networks(allow) }
        options.sourceIP = sourceIP
        options.drain = drain
        options.maxConnections = maxConnections
        return options
    }
}
