public import MeshKit
import Netlink

/// What a running agent knows of itself, for those who ask: its passes, its events, and the mesh as it is observed when
/// somebody asks.
public final class AgentInformation: Sendable {
    /// The mesh at one moment.
    public typealias Observation = (view: MeshView, plan: Plan)

    /// The agent's log as events.
    public let events = EventHub()
    private let record: Locked<AgentRecord>
    private let observation: Recent<Observation>
    private let planText: Recent<String>
    private let statusText: @Sendable (Observation) throws -> String

    /// - Parameters:
    ///   - lifetime: for how long an observation answers further questions, so that nobody can keep the node busy by
    ///     asking.
    ///   - observe: observes the mesh, with counters.
    ///   - status: the document of `meshctl status --format json`.
    ///   - plan: the document of `meshctl plan --format json`.
    public init(
        lifetime: Duration = .seconds(1), observe: @escaping @Sendable () async throws -> Observation,
        status: @escaping @Sendable (Observation) throws -> String,
        plan: @escaping @Sendable () async throws -> String
    ) {
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
    func metrics() async -> String {
        let observed = try? await observation.value
        return Metrics.text(of: observed, record.withLock(\.self), at: .now)
    }

    func status() async throws -> String { try statusText(try await observation.value) }

    func plan() async throws -> String { try await planText.value }
}
