import SystemPackage

/// Calls closures at given times, on a thread of its own.
///
/// A sleeping task for each call would be expensive: starting the task, arming its timer and ending it would be a large
/// part of the cost of a call with one message. Here, a call that ends in time costs an entry in a table, of which the
/// thread need not be told. The thread wakes at the earliest time that it knows, calls the entries that are due, and
/// ends when none is left.
///
/// It is a thread of its own because it must run whatever happens to others: the thread of a connection may be stuck in
/// the kernel, and all threads of Swift's pool may be busy.
final class Deadlines: Sendable {
    /// The instance for all users. Its thread sleeps nearly always.
    static let shared = Deadlines()

    struct Entry: Hashable {
        fileprivate let number: UInt64
    }

    private struct State {
        var entries: [Entry: (time: ContinuousClock.Instant, body: @Sendable () -> Void)] = [:]
        var lastNumber: UInt64 = 0
        /// The thread; nil if there is none.
        var sleeper: Sleeper?
    }

    /// The thread's state, as others see it.
    private struct Sleeper {
        let alarm: Alarm
        /// No entry is due before this time.
        var until: ContinuousClock.Instant
    }

    private final class Alarm: Sendable {
        let wakeUp: WakeUp
        init() throws(Errno) { wakeUp = try WakeUp() }
    }

    private let state = Locked(State())

    /// Calls the body after the delay, unless the entry is removed before.
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

    /// Removes an entry. Its body is not called any more, unless it is being called at this moment.
    func remove(_ entry: Entry) {
        // The removed body is released after the lock has been released, since its references may do anything when they
        // end.
        _ = state.withLock { $0.entries.removeValue(forKey: entry) }
    }

    private func run(_ alarm: Alarm) {
        while let delay = callWhatIsDue() { alarm.wakeUp.wait(for: delay) }
    }

    /// Calls the bodies that are due, and returns how long the thread may sleep. Nil if the thread is to end.
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
