import SystemPackage

/// Calls closures when their time has come, on a thread of its own.
///
/// Not by a task that sleeps for each: to start it, arm its timer and end it again is much of what a call of one message
/// costs. Here a call that ends in time costs an entry in a table, and the thread is not told of it. It wakes at the
/// earliest time it has heard of, looks which entries are due, and ends where none is left.
///
/// And a thread because it must go on whatever happens to others: that of a connection may be stuck in the kernel, those
/// of Swift's pool may all be busy.
final class Deadlines: Sendable {
    /// One for all: its thread sleeps nearly always.
    static let shared = Deadlines()

    struct Entry: Hashable {
        fileprivate let number: UInt64
    }

    private struct State {
        var entries: [Entry: (time: ContinuousClock.Instant, body: @Sendable () -> Void)] = [:]
        var lastNumber: UInt64 = 0
        /// Nil where there is no thread.
        var sleeper: Sleeper?
    }

    /// The thread, as others see it.
    private struct Sleeper {
        let alarm: Alarm
        /// No entry is due before.
        var until: ContinuousClock.Instant
    }

    private final class Alarm: Sendable {
        let wakeUp: WakeUp
        init() throws(Errno) { wakeUp = try WakeUp() }
    }

    private let state = Locked(State())

    /// Calls the body after so long, unless the entry is removed before.
    func add(after delay: Duration, _ body: @escaping @Sendable () -> Void) throws(Errno) -> Entry {
        let time = ContinuousClock.now.advanced(by: delay)
        return try state.withLock { state throws(Errno) in
            if let sleeper = state.sleeper {
                if time < sleeper.until {
                    state.sleeper?.until = time
                    sleeper.alarm.wakeUp.signal()
                }
            } else {
                let alarm = try Alarm()
                try DetachedThread.start { [self] in run(alarm) }
                state.sleeper = Sleeper(alarm: alarm, until: time)
            }
            state.lastNumber += 1
            let entry = Entry(number: state.lastNumber)
            state.entries[entry] = (time, body)
            return entry
        }
    }

    /// Its body will not be called any more, unless it is being called now.
    func remove(_ entry: Entry) {
        // What the body holds is let go behind the lock, not under it.
        _ = state.withLock { $0.entries.removeValue(forKey: entry) }
    }

    private func run(_ alarm: Alarm) {
        while let delay = callWhatIsDue() { alarm.wakeUp.wait(for: delay) }
    }

    /// How long the thread may sleep then. Nil where it is to end.
    private func callWhatIsDue() -> Duration? {
        let now = ContinuousClock.now
        let (due, next) = state.withLock { state in
            let due = state.entries.filter { $0.value.time <= now }
            for entry in due.keys { state.entries[entry] = nil }
            let next = state.entries.values.map(\.time).min()
            if let next { state.sleeper?.until = next } else { state.sleeper = nil }
            return (due.values.sorted { $0.time < $1.time }, next)
        }
        for entry in due { entry.body() }
        return next.map { $0 - now }
    }
}
