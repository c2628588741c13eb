/// Which containers of an engine are to be looked at, and which are looked at right now. A value without effects.
struct LookQueue {
    /// Who comes first.
    enum Rank: Int, CaseIterable {
        /// Containers that have just begun to run.
        case first
        /// Those of which nothing special is known.
        case usual
        /// Those that the engine did not describe when it was asked last. It may hang on them again.
        case last
    }

    private struct Look {
        var rank: Rank
        /// Whether something has happened to the container since, so that the answer does not count.
        var isOutdated = false
        /// When the container is to be looked at again; nil if it is not.
        var next: Rank?
    }

    /// How many containers are looked at at a time, and how many of the last rank among them.
    private static let (most, mostOfLast) = (8, 4)

    /// Those that wait, by their ids. The lines may also have ids that do not wait there any more.
    private var waiting: [String: Rank] = [:]
    private var lines: [Rank: ArraySlice<String>] = [:]
    private var running: [String: Look] = [:]

    /// Lets a container be looked at, once more if it is looked at right now.
    mutating func add(_ id: String, _ rank: Rank) {
        if let look = running[id] {
            running[id]!.next = [rank, look.next ?? rank].min { $0.rawValue < $1.rawValue }
            return
        }
        if let present = waiting[id], present.rawValue <= rank.rawValue { return }
        waiting[id] = rank
        lines[rank, default: []].append(id)
    }

    /// Lets a container not be looked at. The answer of a look that has begun does not count.
    mutating func drop(_ id: String) {
        waiting[id] = nil
        running[id]?.isOutdated = true
        running[id]?.next = nil
    }

    /// Begins the look that is due; nil if there is none, or if there are enough at a time.
    mutating func begin() -> String? {
        guard running.count < Self.most else { return nil }
        let hasLast = running.values.count(where: { $0.rank == .last }) < Self.mostOfLast
        for rank in Rank.allCases where rank != .last || hasLast {
            while let id = lines[rank]?.popFirst() {
                guard waiting[id] == rank else { continue }
                waiting[id] = nil
                running[id] = Look(rank: rank)
                return id
            }
            lines[rank] = nil
        }
        return nil
    }

    /// Ends a look. Gives whether its answer counts.
    mutating func end(_ id: String) -> Bool {
        guard let look = running.removeValue(forKey: id) else { return false }
        if let rank = look.next { add(id, rank) }
        return !look.isOutdated
    }
}
