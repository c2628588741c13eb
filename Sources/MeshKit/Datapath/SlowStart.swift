/// How the share of new connections grows that a task has while it starts slowly. Pure.
///
/// The time has ten parts of the same length. In the first part the task has a tenth of its share, in the second two
/// tenths, and so on. The kernel's weights are integers, and usually 1, so that those of the other tasks are multiplied by
/// ten meanwhile.
enum SlowStart {
    /// The number of steps until a task has its whole share.
    static let steps: UInt32 = 10

    /// The step at a moment, from 1 to ``steps``; nil once the time is over.
    ///
    /// - Parameters:
    ///   - since: when the task began to start slowly.
    ///   - seconds: how long it does.
    static func step(since: BootTime, lasting seconds: UInt32, at now: BootTime) -> UInt32? {
        let passed = now < since ? 0 : now.nanoseconds - since.nanoseconds
        let step = passed / length(lasting: seconds) + 1
        return step > UInt64(steps) ? nil : UInt32(step)
    }

    /// When a step ends.
    static func end(of step: UInt32, since: BootTime, lasting seconds: UInt32) -> BootTime {
        BootTime(nanoseconds: since.nanoseconds + UInt64(step) * length(lasting: seconds))
    }

    /// The length of a step in nanoseconds.
    private static func length(lasting seconds: UInt32) -> UInt64 { UInt64(seconds) * 1_000_000_000 / UInt64(steps) }

    /// A task as a service has it.
    struct Share: Equatable {
        /// The weight that was asked for.
        var weight: UInt32
        /// The step of a task that starts slowly; nil for one with its whole share.
        var step: UInt32?
    }

    /// The weights that the kernel is to have for all tasks that share the load of a service: those that were asked for,
    /// if none of them starts slowly.
    static func weights(_ shares: [Share]) -> [UInt32] {
        guard shares.contains(where: { $0.step != nil }) else { return shares.map(\.weight) }
        // Schedulers add weights up in 31 bits. Weights that are so large have tenths without being multiplied.
        let sum = shares.reduce(0) { $0 + UInt64($1.weight) }
        let factor = sum * UInt64(steps) <= UInt64(Int32.max) ? UInt64(steps) : 1
        return shares.map { share in
            guard share.weight > 0 else { return 0 }
            let tenths = UInt64(share.step ?? steps)
            return UInt32(max(1, UInt64(share.weight) * factor * tenths / UInt64(steps)))
        }
    }
}
