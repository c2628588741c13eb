public import MeshKit

/// What an agent's passes have done since it began: the numbers behind its metrics, and whether it is alive and ready. A
/// value; whoever has one adds each pass to it.
public struct AgentRecord: Equatable, Sendable {
    /// What passes are counted by.
    struct Kind: Hashable, Sendable {
        /// What made the pass due.
        var cause: String
        var hasFailed: Bool
    }

    /// The upper bounds of the groups that passes are sorted into by their duration, in seconds.
    static let durationBounds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
    /// The longest time without the end of a pass. No pass is later than eight seconds after the last.
    static let patience = Duration.seconds(30)

    /// When the agent began.
    public let begin: ContinuousClock.Instant
    /// The number of passes of each kind.
    private(set) var passes: [Kind: Int] = [:]
    /// How many passes took no longer than each of the bounds, and longer than the one before.
    private(set) var durations = [Int](repeating: 0, count: durationBounds.count)
    /// How long all passes took together.
    private(set) var totalDuration = Duration.zero
    /// The number of changes that were made to the kernel.
    public private(set) var steps = 0
    /// How many of them put right what somebody else had changed.
    public private(set) var repairs = 0
    /// The last pass; nil before the first has ended.
    public private(set) var last: PassRecord?
    /// When the last pass ended that did not fail; nil if there was none.
    public private(set) var lastGood: ContinuousClock.Instant?

    /// An agent that begins now.
    public init(at now: ContinuousClock.Instant) { begin = now }

    /// Adds a pass.
    public mutating func add(_ pass: PassRecord) {
        passes[Kind(cause: pass.cause, hasFailed: pass.error != nil), default: 0] += 1
        if let group = Self.durationBounds.firstIndex(where: { pass.duration <= .seconds($0) }) {
            durations[group] += 1
        }
        totalDuration += pass.duration
        steps += pass.steps
        if pass.isRepair { repairs += pass.steps }
        if pass.error == nil { lastGood = pass.end }
        last = pass
    }

    /// The number of all passes.
    public var count: Int { passes.values.reduce(0, +) }
}

extension AgentRecord {
    /// Whether something is as it should be, and a sentence that says so or why not.
    public struct Answer: Equatable, Sendable {
        /// Whether it is.
        public var isGood: Bool
        /// The sentence.
        public var sentence: String
    }

    /// Whether the agent is alive: passes end, in whatever way.
    public func health(at now: ContinuousClock.Instant) -> Answer {
        let age = now - (last?.end ?? begin)
        let seconds = age.components.seconds
        guard let last else {
            return age <= Self.patience
                ? Answer(isGood: true, sentence: "The agent began \(seconds) s ago; no pass has ended yet.")
                : Answer(isGood: false, sentence: "No pass has ended in the \(seconds) s since the agent began.")
        }
        guard age <= Self.patience else {
            return Answer(isGood: false, sentence: "No pass has ended for \(seconds) s.")
        }
        return Answer(
            isGood: true,
            sentence: "The last pass ended \(seconds) s ago" + (last.error == nil ? "." : " and failed."))
    }

    /// Whether the kernel holds what it should, as far as the last pass knows.
    public func readiness(at now: ContinuousClock.Instant) -> Answer {
        guard let last else { return Answer(isGood: false, sentence: "The first pass has not ended yet.") }
        if let error = last.error { return Answer(isGood: false, sentence: "The last pass failed: \(error)") }
        if !last.missing.isEmpty { return Answer(isGood: false, sentence: last.missing.joined(separator: "\n")) }
        return Answer(
            isGood: true,
            sentence:
                "The kernel holds what it should; the last pass ended \((now - last.end).components.seconds) s ago.")
    }
}
