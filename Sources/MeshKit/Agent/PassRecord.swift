/// What became of one pass of an agent, in numbers and words.
public struct PassRecord: Equatable, Sendable {
    /// What made the pass due, in a word of the log: `start`, `documents`, `tasks`, `kernel`, `period`, `retiring`,
    /// `slow-start` or `retry`.
    public var cause: String
    /// Whether the steps of the pass put something right that the mesh had not asked to be otherwise: the pass was due
    /// because of the kernel, the time, or a failure.
    public var isRepair: Bool
    /// How long the pass took.
    public var duration: Duration
    /// How many changes to the kernel it made; 0 if it failed.
    public var steps: Int
    /// Why it failed; nil if it did not.
    public var error: String?
    /// What the mesh lacks on this host, which has refused it, and why; a sentence for each part.
    public var missing: [String] = []
    /// When it ended.
    public var end: ContinuousClock.Instant

    /// A pass by its parts.
    public init(
        cause: String, isRepair: Bool, duration: Duration, steps: Int = 0, error: String? = nil,
        end: ContinuousClock.Instant
    ) {
        self.cause = cause
        self.isRepair = isRepair
        self.duration = duration
        self.steps = steps
        self.error = error
        self.end = end
    }

    init(
        _ result: Result<MeshChange, any Error>, _ cause: PassSchedule.Cause, from start: ContinuousClock.Instant,
        to end: ContinuousClock.Instant
    ) {
        self.init(cause: cause.word, isRepair: cause.isRepair, duration: end - start, end: end)
        switch result {
        case .success(let change):
            steps = change.plan.steps.count
            missing = change.ledger.missing.isEmpty ? [] : change.ledger.refusalNotes
        case .failure(let error): self.error = "\(error)"
        }
    }
}

extension PassSchedule.Cause {
    /// The cause without the places.
    fileprivate var word: String { if case .kernel = self { "kernel" } else { "\(self)" } }

    /// Whether the steps of such a pass are repairs. Those of the others were asked for: by the documents, by the tasks
    /// that were found, by connections that have ended, or by tasks that start slowly.
    fileprivate var isRepair: Bool {
        switch self {
        case .kernel, .period, .retry: true
        case .start, .documents, .tasks, .retiring, .slowStart: false
        }
    }
}
