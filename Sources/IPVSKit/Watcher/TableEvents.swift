extension IPVS {
    /// What happens to the namespace's table, as it happens, whoever does it.
    ///
    /// ```swift
    /// for try await event in ipvs.events(every: .seconds(2)) { print(event) }
    /// ```
    ///
    /// The kernel announces nothing, so the table is read again and again and compared with what it was. What came
    /// and went between two looks is not seen, and what was removed and made anew looks changed or unchanged. What
    /// seems gone is looked for once more before it is told: a table that changes while it is read is read with gaps.
    ///
    /// First all that is there is told as added, then ``TableEvent/upToDate`` once, then the news: who applies the
    /// events as they come has the whole table at any time. It ends when the task is cancelled, and throws
    /// ``IPVSError`` where the table cannot be read; a new iteration then begins from the beginning.
    ///
    /// A look is taken when the consumer asks for more than the last one showed. A slow consumer gets the sum of
    /// what happened meanwhile, and nothing piles up.
    ///
    /// - Parameters:
    ///   - interval: how long to wait between the end of a look and the next one; ten milliseconds at least.
    ///   - counters: whether changes of counters are told, too. They change every two seconds at most.
    public func events(every interval: Duration = .seconds(1), counters: Bool = false) -> TableEvents {
        TableEvents(interval: max(interval, Self.shortestInterval), counters: counters) {
            [self] () async throws(IPVSError) in
            try await status()
        }
    }
}

/// What happens to a table, as it happens; see ``IPVS/events(every:counters:)``.
public struct TableEvents: AsyncSequence, Sendable {
    /// One event.
    public typealias Element = TableEvent
    /// Why the table could not be read.
    public typealias Failure = IPVSError

    let interval: Duration
    let counters: Bool
    /// A look at the table.
    let look: @Sendable () async throws(IPVSError) -> [VirtualServiceStatus]

    /// Begins with an empty table.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(events: self) }

    /// A look that believes nothing to be gone that it missed once.
    ///
    /// A table that changes while the kernel lists it in parts is listed with gaps: when an entry goes, those behind
    /// it move up, and the one that crosses the border between two parts is in neither.
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
        /// What the last look showed and was not asked for yet, last first.
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

/// Which services and destinations there are.
private struct TableKeys: Equatable {
    private let destinations: [VirtualService.ID: Set<Destination.ID>]

    init(_ table: [VirtualServiceStatus]) {
        destinations = Dictionary(table.map { ($0.id, Set($0.destinations.map(\.id))) }) { $0.union($1) }
    }

    func contains(_ other: Self) -> Bool {
        other.destinations.allSatisfy { id, theirs in destinations[id]?.isSuperset(of: theirs) ?? false }
    }
}
