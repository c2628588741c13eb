extension IPVS {
    /// The changes of the namespace's table as they happen, whichever program makes them.
    ///
    /// ```swift
    /// for try await event in ipvs.events(every: .seconds(2)) { print(event) }
    /// ```
    ///
    /// The kernel does not announce changes, so the table is read repeatedly and compared with the previous reading. An
    /// object that came and went between two readings is not seen, and an object that was removed and created again
    /// looks changed or unchanged. An object that seems to be gone is looked for once more before it is reported,
    /// because a table that changes while it is read is read with gaps.
    ///
    /// First all existing objects are reported as added, then comes ``TableEvent/upToDate`` once, then the changes: a
    /// consumer that applies the events in order always has the whole table. The sequence ends when the task is
    /// cancelled, and throws ``IPVSError`` if the table cannot be read; a new iteration starts from the beginning.
    ///
    /// The table is read when the consumer asks for more events than the last reading showed. A slow consumer gets the
    /// sum of the changes, and no events pile up.
    ///
    /// - Parameters:
    ///   - interval: how long to wait after a reading before the next one; ten milliseconds at least.
    ///   - counters: whether changes of counters are reported, too. They change every two seconds at most.
    public func events(every interval: Duration = .seconds(1), counters: Bool = false) -> TableEvents {
        TableEvents(interval: max(interval, Self.shortestInterval), counters: counters) {
            [self] () async throws(IPVSError) in
            try await status()
        }
    }
}

/// The changes of a table as they happen; see ``IPVS/events(every:counters:)``.
public struct TableEvents: AsyncSequence, Sendable {
    /// One event.
    public typealias Element = TableEvent
    /// Why the table could not be read.
    public typealias Failure = IPVSError

    let interval: Duration
    let counters: Bool
    /// Reads the table.
    let look: @Sendable () async throws(IPVSError) -> [VirtualServiceStatus]

    /// Begins with an empty table.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(events: self) }

    /// Reads the table so that an object that is missing in one reading only does not count as gone.
    ///
    /// A table that changes while the kernel lists it in parts is listed with gaps: when an entry goes, the entries
    /// behind it move up, and the entry that crosses the border between two parts is in neither of them.
    private func look(after last: [VirtualServiceStatus]) async throws(IPVSError) -> [VirtualServiceStatus] {
        var seen = try await look()
        var keys = TableKeys(seen)
        let known = TableKeys(last)
        var attempts = 0
        while !keys.contains(known), attempts < 5 {
            seen = try await look()
            let again = TableKeys(seen)
            if again == keys { break }
            keys = again
            attempts += 1
        }
        return seen
    }

    /// One watch of the table.
    public struct AsyncIterator: AsyncIteratorProtocol {
        private let events: TableEvents
        private var table: [VirtualServiceStatus]?
        /// The events of the last reading that were not delivered yet, in reverse order.
        private var pending: [TableEvent] = []
        private var hasEnded = false

        fileprivate init(events: TableEvents) { self.events = events }

        /// The next event; nil once the task is cancelled.
        public mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(IPVSError) -> TableEvent? {
            while true {
                if hasEnded || Task.isCancelled { return end() }
                if let event = pending.popLast() { return event }
                if table != nil {
                    do { try await Task.sleep(for: events.interval) } catch { return end() }
                }
                let seen: [VirtualServiceStatus]
                do throws(IPVSError) {
                    seen = try await events.look(after: table ?? [])
                } catch {
                    let wasCancelled = error.code == .cancelled && Task.isCancelled
                    _ = end()
                    if wasCancelled { return nil }
                    throw error
                }
                let news = TableEvent.events(from: table ?? [], to: seen, counters: events.counters)
                pending = (table == nil ? news + [.upToDate] : news).reversed()
                table = seen
            }
        }

        private mutating func end() -> TableEvent? {
            hasEnded = true
            pending = []
            return nil
        }
    }
}

/// The ids of all services and destinations of a table.
private struct TableKeys: Equatable {
    private let destinations: [VirtualService.ID: Set<Destination.ID>]

    init(_ table: [VirtualServiceStatus]) {
        destinations = Dictionary(table.map { ($0.id, Set($0.destinations.map(\.id))) }) { $0.union($1) }
    }

    func contains(_ other: Self) -> Bool {
        other.destinations.allSatisfy { id, theirs in destinations[id]?.isSuperset(of: theirs) ?? false }
    }
}
