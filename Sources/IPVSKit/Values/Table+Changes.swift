extension Table {
    /// The changes that turn one table into another, in an order in which no service that takes connections before
    /// and after ever refuses them: what is to take connections comes first, then what is to take none any more
    /// (weight 0), and what is gone is removed last.
    ///
    /// Pure. Services come in the order of their ids, so that equal tables give equal lists.
    public static func changes(from old: Table, to new: Table) -> [Change] {
        // Only what differs is put in order: most of two tables is equal as a rule.
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
        // Those of weight 0 last, or a service could be drained before what replaces its destinations is there.
        changed.sort { ($0.weight == 0) == ($1.weight == 0) ? $0.id < $1.id : $1.weight == 0 }
        // Sought only where there are any: each costs a look-up.
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
