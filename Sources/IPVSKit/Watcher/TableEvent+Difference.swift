extension TableEvent {
    /// The events between two looks at a table. A pure function.
    ///
    /// Services come in the order of their ids, and additions and changes come before removals. Applying the events in
    /// order to the old table gives the new one.
    ///
    /// - Parameters:
    ///   - old: the earlier look.
    ///   - new: the later one.
    ///   - counters: whether changes of counters are events, too. The counters of a new object are reported as changes
    ///     from zero.
    public static func events(
        from old: [VirtualServiceStatus], to new: [VirtualServiceStatus], counters: Bool = false
    ) -> [TableEvent] {
        let before = Dictionary(old.map { ($0.id, $0) }) { _, later in later }
        let after = Dictionary(new.map { ($0.id, $0) }) { _, later in later }
        var news: [TableEvent] = []
        var removals: [TableEvent] = []
        for id in Set(before.keys).union(after.keys).sorted() {
            let (found, now) = (before[id], after[id])
            if let now {
                if let found {
                    if found.service != now.service { news.append(.serviceChanged(now.service, from: found.service)) }
                } else {
                    news.append(.serviceAdded(now.service))
                }
                let past = found?.statistics ?? Statistics()
                if counters, past != now.statistics {
                    news.append(.serviceCounted(now.statistics, from: past, of: id))
                }
            }
            destinations(
                of: id, from: found?.destinations ?? [], to: now?.destinations ?? [], counters: counters, news: &news,
                removals: &removals)
            if now == nil, let found { removals.append(.serviceRemoved(found.service)) }
        }
        return news + removals
    }

    private static func destinations(
        of service: VirtualService.ID, from old: [DestinationStatus], to new: [DestinationStatus], counters: Bool,
        news: inout [TableEvent], removals: inout [TableEvent]
    ) {
        let before = Dictionary(old.map { ($0.id, $0) }) { _, later in later }
        let after = Dictionary(new.map { ($0.id, $0) }) { _, later in later }
        for id in Set(before.keys).union(after.keys).sorted() {
            switch (before[id], after[id]) {
            case (let found, let now?):
                if let found {
                    if found.destination != now.destination {
                        news.append(.destinationChanged(now.destination, from: found.destination, of: service))
                    }
                } else {
                    news.append(.destinationAdded(now.destination, of: service))
                }
                let past = found ?? DestinationStatus(destination: now.destination)
                if counters, !now.isCountedAs(past) {
                    news.append(.destinationCounted(now, from: past, of: service))
                }
            case (let found?, nil):
                removals.append(.destinationRemoved(found.destination, of: service))
            case (nil, nil):
                break
            }
        }
    }
}

extension DestinationStatus {
    /// Whether counters and numbers of connections are equal: they change without a command.
    fileprivate func isCountedAs(_ other: Self) -> Bool {
        statistics == other.statistics && activeConnections == other.activeConnections
            && inactiveConnections == other.inactiveConnections && persistentConnections == other.persistentConnections
    }
}
