/// When a pass is due although nothing else changes, and why.
package struct Wake: Hashable, Sendable {
    /// What the pass looks at.
    package enum Reason: Hashable, Sendable {
        /// Connections of retiring paths, which end with time.
        case retiring
        /// A task that starts slowly, whose next step is due.
        case slowStart
    }

    package var time: BootTime
    package var reason: Reason

    package init(_ time: BootTime, for reason: Reason) {
        self.time = time
        self.reason = reason
    }

    /// The earlier one of two that may be there.
    static func first(_ one: Wake?, _ other: Wake?) -> Wake? {
        guard let one, let other else { return one ?? other }
        return other.time < one.time ? other : one
    }
}
