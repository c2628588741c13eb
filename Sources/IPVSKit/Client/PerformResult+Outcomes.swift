extension PerformResult {
    /// A result as a call that ran to its end could give it, for tests of what reads one.
    ///
    /// - Parameters:
    ///   - changes: what was given.
    ///   - failures: the refused ones, by their place; the others are done.
    public init(changes: [Change], failures: [Failure] = []) {
        self.init(count: changes.count, failures: failures)
        self.changes = changes
    }

    /// A result as a call that was cut short could give it, for tests of what reads one.
    ///
    /// - Parameters:
    ///   - changes: what was given.
    ///   - failures: those that are known to have been refused, by their place.
    ///   - interruption: what cut it short.
    ///   - confirmed: of how many, from the first on, it is known what became of them.
    ///   - sent: how many, from the first on, were handed to the kernel.
    public init(changes: [Change], failures: [Failure], interruption: IPVSError, confirmed: Int, sent: Int) {
        self.init(
            count: changes.count, failures: failures, interruption: interruption, confirmed: confirmed, sent: sent)
        self.changes = changes
    }

    /// What became of each change.
    ///
    /// ```swift
    /// for (change, outcome) in try await ipvs.perform(changes).outcomes where outcome != .done {
    ///     print(change, outcome)
    /// }
    /// ```
    public var outcomes: Outcomes { Outcomes(result: self) }

    /// The changes that were given, in their order, and what became of each; see ``PerformResult/outcomes``.
    public struct Outcomes: RandomAccessCollection, Sendable {
        /// A change, and what became of it.
        public typealias Element = (change: Change, outcome: Outcome)

        let result: PerformResult

        /// 0.
        public var startIndex: Int { 0 }
        /// How many changes there were.
        public var endIndex: Int { result.changes.count }

        /// The change at a place, and what became of it.
        public subscript(position: Int) -> Element { (result.changes[position], result[position]) }
    }

    /// By halves: failures are in the order of their places, and there may be as many as changes.
    func failure(_ index: Int) -> Failure? {
        var range = 0..<failures.count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if failures[middle].index == index { return failures[middle] }
            range = failures[middle].index < index ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return nil
    }
}

extension PerformResult.Outcome: CustomStringConvertible {
    /// In words: `done`, `failed: cannot …`, `unknown`, `not sent`.
    public var description: String {
        switch self {
        case .done: "done"
        case .failed(let error): "failed: \(error)"
        case .unknown: "unknown"
        case .notSent: "not sent"
        }
    }
}
