/// A found task: the name of its source, and its own there.
struct FoundTaskID: Hashable, Comparable, Sendable {
    var source: String
    var name: String

    static func < (lhs: Self, rhs: Self) -> Bool { (lhs.source, lhs.name) < (rhs.source, rhs.name) }
}

/// Which found tasks can be taken over. If a pass with all of them fails, they are tried apart, so that one that cannot be
/// taken over keeps nobody else from the mesh. It is put off, and tried again after a while.
struct FoundTrials {
    /// After how long a task is tried again.
    static let patience = Duration.seconds(30)

    /// The tasks as they were when a pass took them over.
    private var settled: [FoundTaskID: FoundTask] = [:]
    private var refused: [FoundTaskID: (reason: String, until: ContinuousClock.Instant)] = [:]

    /// The tasks that are put off.
    mutating func putOff(at now: ContinuousClock.Instant) -> Set<FoundTaskID> {
        refused = refused.filter { $0.value.until > now }
        return Set(refused.keys)
    }

    /// What cannot be taken over, in words.
    var notes: [String] {
        refused.sorted { $0.key < $1.key }.map { id, refusal in
            "what \(id.source) says of \(id.name) is not taken over for \(Self.patience.components.seconds) s: "
                + refusal.reason
        }
    }

    /// The tasks that may be why a pass failed: those that are new or have changed, or else all.
    func suspects(in found: [String: [FoundTask]]) -> [FoundTaskID] {
        let all = Self.byID(found).filter { !$0.value.isOnlyListed && refused[$0.key] == nil }
        let new = all.filter { settled[$0.key] != $0.value }
        return (new.isEmpty ? all : new).keys.sorted()
    }

    /// Notes that a pass has taken over all but some tasks.
    mutating func settle(_ found: [String: [FoundTask]], besides putOff: Set<FoundTaskID>) {
        let former = settled
        settled = Self.byID(found).filter { !putOff.contains($0.key) }
        for id in putOff { settled[id] = former[id] }
    }

    /// Puts a task off.
    mutating func refuse(_ id: FoundTaskID, because error: any Error, at now: ContinuousClock.Instant) {
        refused[id] = ("\(error)", now + Self.patience)
    }

    private static func byID(_ found: [String: [FoundTask]]) -> [FoundTaskID: FoundTask] {
        Dictionary(
            found.flatMap { source, tasks in tasks.map { (FoundTaskID(source: source, name: $0.name), $0) } }
        ) { first, _ in first }
    }
}
