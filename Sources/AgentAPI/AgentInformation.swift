public import Logging
public import MeshKit
import Netlink

/// What a running agent knows of itself, for those who ask: its passes, its events, and the mesh as it is observed when
/// somebody asks.
public final class AgentInformation: Sendable {
    /// How long a document may take. Looking at the rules of other programs alone takes up to 30 seconds.
    private static let limit = Duration.seconds(60)

    /// The mesh at one moment.
    public typealias Observation = (view: MeshView, plan: Plan)

    /// The agent's log as events.
    public let events: EventHub
    /// What clients change through the agent.
    let changes: MeshChanges
    /// The document of which agent this is.
    let identity: @Sendable () throws -> String
    /// How long metrics wait for an observation. Prometheus waits for ten seconds by default, and is to learn at least what
    /// the passes do when something keeps the mesh locked.
    private let metricsLimit: Duration
    private let record: Locked<AgentRecord>
    private let observation: Recent<Observation>
    private let planText: Recent<String>
    private let statusText: @Sendable (Observation) throws -> String
    private let logger: Logger
    /// Why the last metrics lack what is observed; nil if they do not.
    private let obstacle = Locked<String?>(nil)

    /// - Parameters:
    ///   - events: where clients get the agent's log.
    ///   - lifetime: for how long an observation answers further questions, so that nobody can keep the node busy by
    ///     asking.
    ///   - metricsLimit: how long metrics wait for an observation, before they are given without it.
    ///   - identity: the document of which agent this is, by which a command decides whether to ask it.
    ///   - observe: observes the mesh, with counters.
    ///   - status: the document of `meshctl status --format json`.
    ///   - plan: the document of `meshctl plan --format json`.
    ///   - changes: what clients change through the agent.
    ///   - logger: logs why metrics lack what is observed, which they do not say.
    public init(
        events: EventHub = EventHub(), lifetime: Duration = .seconds(1), metricsLimit: Duration = .seconds(5),
        identity: @escaping @Sendable () throws -> String, observe: @escaping @Sendable () async throws -> Observation,
        status: @escaping @Sendable (Observation) throws -> String,
        plan: @escaping @Sendable () async throws -> String, changes: MeshChanges, logger: Logger
    ) {
        self.events = events
        self.changes = changes
        self.identity = identity
        self.logger = logger
        self.metricsLimit = metricsLimit
        record = Locked(AgentRecord(at: .now))
        observation = Recent(for: lifetime, observe)
        planText = Recent(for: lifetime, plan)
        statusText = status
    }

    /// Adds a pass to the record.
    public func add(_ pass: PassRecord) { record.withLock { $0.add(pass) } }

    var health: AgentRecord.Answer { record.withLock(\.self).health(at: .now) }

    var readiness: AgentRecord.Answer { record.withLock(\.self).readiness(at: .now) }

    /// The metrics; only those of the passes if the mesh cannot be observed.
    func metrics() async -> [Metric] {
        var observed: Observation?
        do {
            observed = try await observation.value(within: metricsLimit)
            log(nil)
        } catch {
            log("\(error)")
        }
        return Metrics.all(of: observed, record.withLock(\.self), at: .now)
    }

    /// Logs why metrics lack what is observed, once for each reason. A client that has gone is none.
    private func log(_ reason: String?) {
        guard !Task.isCancelled else { return }
        let isOther = obstacle.withLock { obstacle in
            defer { obstacle = reason }
            return obstacle != reason
        }
        guard isOther else { return }
        if let reason {
            logger.warning("the metrics lack what is observed of the mesh", metadata: ["because": "\(reason)"])
        } else {
            logger.notice("the metrics have what is observed of the mesh again")
        }
    }

    func status() async throws -> String { try statusText(try await observation.value(within: Self.limit)) }

    func plan() async throws -> String { try await planText.value(within: Self.limit) }
}
