extension Table {
    /// The changes that turn one table into another. In their order, a service that takes connections before and after
    /// never refuses one in between: destinations that take connections come first, then those that take none any more
    /// (weight 0), and removals come last.
    ///
    /// A pure function. Services come in the order of their ids, so that equal tables give equal lists.
    public static func changes(from old: Table, to new: Table) -> [Change] {
        // Only the differing services are sorted: usually most of two tables is equal.
        var steps: [(id: VirtualService.ID, additions: [Change], removals: [Change])] = []
        for (id, wanted) in new.entries {
            let (additions, removals) = Entry.changes(from: old.entries[id], to: wanted)
            if !additions.isEmpty || !removals.isEmpty { steps.append((id, additions, removals)) }
        }
        for id in old.entries.keys where new.entries[id] == nil { steps.append((id, [], [.deleteService(id)])) }
        steps.sort { $0.id < $1.id }
        return steps.flatMap(\.additions) + steps.flatMap(\.removals)
    }
}

extension Table.Entry {
    fileprivate static func changes(from old: Self?, to new: Self) -> (additions: [Change], removals: [Change]) {
        let id = new.service.id
        let found = old?.destinations ?? [:]
        var kept = 0
        var changed: [Destination] = []
        for (key, destination) in new.destinations {
            let existing = found[key]
            if existing != nil { kept += 1 }
            if existing != destination { changed.append(destination) }
        }
        // Destinations of weight 0 come last; otherwise a service could have no destination with weight before its new
        // destinations are there.
        changed.sort { ($0.weight == 0) == ($1.weight == 0) ? $0.id < $1.id : $1.weight == 0 }
        // Removed destinations are searched only if there are any, because each costs a look-up.
        let gone = kept == found.count ? [] : found.keys.filter { new.destinations[$0] == nil }.sorted()

        var additions: [Change] = []
        if let old {
            if old.service != new.service { additions.append(.updateService(new.service)) }
        } else {
            additions.append(.createService(new.service))
        }
        additions += changed.map {
            found[$0.id] == nil ? .createDestination($0, of: id) : .updateDestination($0, of: id)
        }
        return (additions, gone.map { .deleteDestination($0, of: id) })
    }
}
