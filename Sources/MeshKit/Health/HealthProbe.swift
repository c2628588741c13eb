public import IPVSKit
package import Netlink

/// One look at a task.
public struct HealthProbe: Hashable, Sendable {
    /// The service of the task.
    public var service: String
    /// The task, as the spec knows it.
    public var task: IPAddress
    /// Where the balancer reaches the task.
    public var address: IPAddress
    /// The port of the task.
    public var port: UInt16
    /// What is done.
    public var method: HealthCheck.Method
    /// How long it may take.
    public var timeout: Duration
    /// The place of the balancer, which the probe comes from.
    public var place: PlaceID

    /// A probe by its parts.
    public init(
        service: String, task: IPAddress, address: IPAddress, port: UInt16, method: HealthCheck.Method,
        timeout: Duration, place: PlaceID
    ) {
        self.service = service
        self.task = task
        self.address = address
        self.port = port
        self.method = method
        self.timeout = timeout
        self.place = place
    }
}

/// What came of a probe.
public enum HealthAnswer: Hashable, Sendable {
    /// The task can serve.
    case good
    /// It cannot, for this reason.
    case bad(String)
    /// Nobody could look, for this reason: that says nothing of the task.
    case unknown(String)
}

/// The network namespace that probes come from.
public struct ProbeSite: Sendable {
    /// Nil for that of the process.
    package var namespace: NamespaceHandle?

    package init(namespace: NamespaceHandle?) { self.namespace = namespace }
}

/// What looks at tasks. The real one is a target of its own, and tests have others.
public protocol HealthProber: Sendable {
    /// Probes tasks from a namespace, all at the same time. Gives an answer for each probe.
    func probe(_ probes: [HealthProbe], from site: ProbeSite) async -> [HealthProbe: HealthAnswer]
}
