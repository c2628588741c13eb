import Netlink

/// Hands the agent's events to everybody who listens. Whoever posts one never waits: a listener that does not keep up loses
/// its oldest events, and is told how many.
public final class EventHub: Sendable {
    private let subscriptions = Locked<[ObjectIdentifier: EventSubscription]>([:])

    /// A hub without listeners.
    public init() {}

    /// Hands an event to all who listen at present.
    public func post(_ event: AgentEvent) {
        for subscription in subscriptions.withLock({ Array($0.values) }) { subscription.post(event) }
    }

    /// Runs the body with the events from now on.
    ///
    /// - Parameter capacity: how many events are kept for a listener that does not keep up.
    func withSubscription<Result>(
        capacity: Int = 1000, _ body: (EventSubscription) async throws -> Result
    ) async rethrows -> Result {
        let subscription = EventSubscription(capacity: capacity)
        let id = ObjectIdentifier(subscription)
        subscriptions.withLock { $0[id] = subscription }
        defer { _ = subscriptions.withLock { $0.removeValue(forKey: id) } }
        return try await body(subscription)
    }

    /// How many listen.
    var count: Int { subscriptions.withLock(\.count) }
}

/// The events for one listener.
final class EventSubscription: Sendable {
    private struct State {
        var events: [AgentEvent] = []
        var lost = 0
        var hasEnded = false
    }

    private let state = Locked(State())
    private let capacity: Int
    private let news: AsyncStream<Void>
    private let tell: AsyncStream<Void>.Continuation

    init(capacity: Int) {
        self.capacity = capacity
        (news, tell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    fileprivate func post(_ event: AgentEvent) {
        state.withLock { state in
            state.events.append(event)
            guard state.events.count > capacity else { return }
            // Half of them at once: removing the first of an array moves all others.
            let excess = max(1, capacity / 2)
            state.events.removeFirst(excess)
            state.lost += excess
        }
        tell.yield()
    }

    /// Ends the subscription: whoever waits for events gets those that are left, and then none.
    func end() {
        state.withLock { $0.hasEnded = true }
        tell.yield()
    }

    /// The events since the last call, at least one. Nil once the subscription has ended, or if the task is cancelled.
    func next() async -> [AgentEvent]? {
        var arrivals = news.makeAsyncIterator()
        while true {
            let (events, lost, hasEnded) = state.withLock { state in
                defer { (state.events, state.lost) = ([], 0) }
                return (state.events, state.lost, state.hasEnded)
            }
            if lost > 0 { return [.loss(of: lost, at: events.first?.time ?? "")] + events }
            if !events.isEmpty { return events }
            guard !hasEnded, await arrivals.next() != nil else { return nil }
        }
    }
}
