/// Decides when the agent runs the next pass. It knows what has happened and what time it is; it does nothing itself.
///
/// A pass is due
/// - at once, when the agent starts;
/// - a moment after the documents were written, a source reported other tasks, or the kernel told of a change, so that a
///   burst makes one pass;
/// - at least every two seconds, for what the kernel does not tell of, and earlier if a retiring path has to be looked at, or a
///   task that starts slowly has its next step;
/// - after a failure, with a wait that doubles from failure to failure.
///
/// A place that this host has refused is tried again now and then.
///
/// What the kernel tells of may be the agent's own doing, or noise that asks for nothing, such as the routes of a busy
/// router. So a pass that changed something is followed by one that looks whether more has changed meanwhile, and then the
/// agent rests. And passes that the kernel asks for may take no more than a part of the time in the long run: each pays for
/// its duration out of savings, which grow with time. Those that repair something, and those that look whether a repair
/// lasts, pay a quarter.
package struct PassSchedule: Sendable {
    /// The waits, and the share of the time.
    package struct Limits: Equatable, Sendable {
        /// The longest time from the end of a pass to the next.
        var period = Duration.seconds(2)
        /// The wait after the first news of a burst.
        var debounce = Duration.milliseconds(20)
        /// The wait after a pass that changed something, if the kernel told of changes meanwhile.
        var settling = Duration.milliseconds(100)
        /// The wait after the first failure of several.
        var firstRetry = Duration.milliseconds(250)
        /// The longest wait after a failure.
        var lastRetry = Duration.seconds(8)
        /// The wait until a place is tried again that this host has refused. It doubles with each try.
        var firstPlaceRetry = Duration.seconds(5)
        /// The longest wait until such a place is tried again.
        var lastPlaceRetry = Duration.seconds(600)
        /// Passes that the kernel asks for and that find nothing may take one part in so many of the time.
        var share = 8
        /// How many times as much of the time those may take that repair something.
        var favour = 4
        /// How much time such passes may have saved up, and so take in one go.
        var mostSavings = Duration.seconds(10)

        package init() {}
    }

    /// Why a pass is due.
    package enum Cause: Equatable, Sendable {
        case start
        case documents
        case tasks
        case kernel(Set<PlaceID>)
        case period
        case retiring
        case slowStart
        case retry

        fileprivate init(_ reason: Wake.Reason) {
            switch reason {
            case .retiring: self = .retiring
            case .slowStart: self = .slowStart
            }
        }
    }

    /// How a pass ended.
    package enum Ending: Equatable, Sendable {
        /// - Parameters:
        ///   - didChange: whether the kernel or a document was changed.
        ///   - wake: in how long the next pass is due although nothing else changes; nil if none is.
        ///   - reason: why it is.
        ///   - lacksPlaces: whether the mesh does without a place that this host has refused.
        case good(didChange: Bool, wake: Duration?, for: Wake.Reason = .retiring, lacksPlaces: Bool = false)
        case failed

        fileprivate var didChange: Bool { if case .good(true, _, _, _) = self { true } else { false } }
    }

    /// When the next pass is due.
    package private(set) var due: ContinuousClock.Instant
    /// Why it is due.
    package private(set) var cause = Cause.start
    /// How many passes have failed in a row.
    package private(set) var failures = 0
    /// Whether the pass that has begun tries the places again that this host has refused.
    package private(set) var retriesPlaces = false
    /// When such places are tried again, and how long they are waited for; nil if there are none.
    private var placeRetry: (at: ContinuousClock.Instant, wait: Duration)?
    private let limits: Limits
    /// The time that passes may take because the kernel asks for them.
    private var savings: Duration
    private var savedUntil: ContinuousClock.Instant
    private var begun: ContinuousClock.Instant
    /// Whether the last pass changed something.
    private var lastDidChange = false

    /// A pass is due at once.
    package init(at now: ContinuousClock.Instant, limits: Limits = Limits()) {
        due = now
        self.limits = limits
        savings = limits.mostSavings
        savedUntil = now
        begun = now
    }

    /// What could make the next pass due earlier. While a pass is asked for already, further news need not be looked at; but
    /// one that the kernel asks for may have to wait until there is time for it, and requests do not.
    package var interest: AgentInterest {
        switch cause {
        case .start, .documents, .tasks: .nothing
        case .kernel: .requests
        case .period, .retiring, .slowStart, .retry: .everything
        }
    }

    /// Takes notice of what has happened while no pass ran.
    package mutating func take(_ news: AgentNews, at now: ContinuousClock.Instant) {
        if news.documents {
            // Whoever writes the documents may have removed the cause of a failure.
            failures = 0
            ask(.documents, at: now + limits.debounce)
        } else if news.tasks {
            ask(.tasks, at: now + limits.debounce)
        } else if !news.places.isEmpty {
            // A pass that fails may itself be what the kernel tells of, late.
            askForKernel(news.places, after: failures > 0 ? limits.firstRetry : limits.debounce, at: now)
        }
    }

    /// Begins the pass that is due.
    package mutating func begin(at now: ContinuousClock.Instant) {
        begun = now
        retriesPlaces = placeRetry.map { $0.at <= now } ?? false
    }

    /// Ends the pass.
    ///
    /// - Parameter news: what has happened since it began.
    package mutating func end(_ ending: Ending, _ news: AgentNews, at now: ContinuousClock.Instant) {
        save(until: now)
        let isRepair = ending.didChange || lastDidChange
        if case .kernel = cause { savings -= (now - begun) / (isRepair ? limits.favour : 1) }
        lastDidChange = ending.didChange
        switch ending {
        case .good(let didChange, let wake, let reason, let lacksPlaces):
            failures = 0
            planPlaceRetry(lacksPlaces, at: now)
            (due, cause) = (now + limits.period, .period)
            if let wake, now + wake < due { (due, cause) = (now + max(wake, limits.debounce), Cause(reason)) }
            if !news.places.isEmpty {
                askForKernel(news.places, after: didChange ? limits.settling : limits.debounce, at: now)
            }
        case .failed:
            // What the kernel told of may be what the pass did before it failed; the next try looks at everything.
            failures += 1
            (due, cause) = (now + retryWait, .retry)
        }
        if news.documents {
            ask(.documents, at: now + limits.debounce)
        } else if news.tasks {
            ask(.tasks, at: now + limits.debounce)
        }
    }

    /// A pass in the next period tries the places again.
    private mutating func planPlaceRetry(_ lacksPlaces: Bool, at now: ContinuousClock.Instant) {
        if !lacksPlaces {
            placeRetry = nil
        } else if let last = placeRetry {
            guard retriesPlaces else { return }
            let wait = min(last.wait * 2, limits.lastPlaceRetry)
            placeRetry = (now + wait, wait)
        } else {
            placeRetry = (now + limits.firstPlaceRetry, limits.firstPlaceRetry)
        }
    }

    private var retryWait: Duration {
        let doublings = min(failures - 1, 16)
        return min(limits.firstRetry * (1 << doublings), limits.lastRetry)
    }

    private mutating func ask(_ asked: Cause, at time: ContinuousClock.Instant) {
        guard time < due else { return }
        (due, cause) = (time, asked)
    }

    private mutating func askForKernel(_ places: Set<PlaceID>, after wait: Duration, at now: ContinuousClock.Instant) {
        save(until: now)
        let debt = max(.zero, .zero - savings) * limits.share
        ask(.kernel(places), at: now + max(wait, debt))
    }

    private mutating func save(until now: ContinuousClock.Instant) {
        savings = min(savings + (now - savedUntil) / limits.share, limits.mostSavings)
        savedUntil = now
    }
}
