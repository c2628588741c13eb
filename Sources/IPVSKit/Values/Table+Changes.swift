extension Table {
    /// The changes that turn one table into another, in an order in which no service that has destinations
    /// before and after is ever without one: what is new is added first, what is gone is removed last.
    ///
    /// Pure. Services come in the order of their ids, so that equal tables give equal lists.
    public static func changes(from old: Table, to new: Table) -> [Change] {
        var additions: [Change] = []
        var removals: [Change] = []
        for id in Set(old.entries.keys).union(new.entries.keys).sorted() {
            switch (old.entries[id], new.entries[id]) {
            case (nil, let wanted?):
                additions.append(.createService(wanted.service))
                additions += wanted.sortedDestinations.map { .createDestination($0, of: id) }
            case (let found?, let wanted?):
                let (added, removed) = Entry.changes(from: found, to: wanted)
                additions += added
                removals += removed
            case (_?, nil):
                removals.append(.deleteService(id))
            case (nil, nil):
                break
            }
        }
        return additions + removals
    }
}

extension Table.Entry {
    fileprivate var sortedDestinations: [Destination] { destinations.values.sorted { $0.id < $1.id } }

    fileprivate static func changes(from old: Self, to new: Self) -> (additions: [Change], removals: [Change]) {
        let id = new.service.id
        var additions: [Change] = []
        if old.service != new.service { additions.append(.updateService(new.service)) }
        for destination in new.sortedDestinations where old.destinations[destination.id] != destination {
            additions.append(
                old.destinations[destination.id] == nil
                    ? .createDestination(destination, of: id) : .updateDestination(destination, of: id))
        }
        let removals = old.sortedDestinations.filter { new.destinations[$0.id] == nil }
            .map { Change.deleteDestination($0.id, of: id) }
        return (additions, removals)
    }
}
