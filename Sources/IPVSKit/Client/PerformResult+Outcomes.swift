extension PerformResult {
    /// Makes the result of a call that ran to its end, for tests of code that reads results.
    ///
    /// - Parameters:
    ///   - changes: the changes that were given.
    ///   - failures: the refused changes, by their index; all others count as done.
    public init(changes: [Change], failures: [Failure] = []) {
        self.init(count: changes.count, failures: failures)
        self.changes = changes
    }

    /// Makes the result of a call that was interrupted, for tests of code that reads results.
    ///
    /// - Parameters:
    ///   - changes: the changes that were given.
    ///   - failures: the changes that the kernel is known to have refused, by their index.
    ///   - interruption: the error that interrupted the call.
    ///   - confirmed: the number of changes, from the first on, whose outcome is known.
    ///   - sent: the number of changes, from the first on, that were sent to the kernel.
    public init(changes: [Change], failures: [Failure], interruption: IPVSError, confirmed: Int, sent: Int) {
        self.init(
            count: changes.count, failures: failures, interruption: interruption, confirmed: confirmed, sent: sent)
        self.changes = changes
    }

    /// Each change with its outcome.
    ///
    /// ```swift
    /// for (change, outcome) in try await ipvs.perform(changes).outcomes where outcome != .done {
    ///     print(change, outcome)
    /// }
    /// ```
    public var outcomes: Outcomes { Outcomes(result: self) }

    /// The changes in the order in which they were given, each with its outcome; see ``PerformResult/outcomes``.
    public struct Outcomes: RandomAccessCollection, Sendable {
        /// A change with its outcome.
        public typealias Element = (change: Change, outcome: Outcome)

        let result: PerformResult

        /// 0.
        public var startIndex: Int { 0 }
        /// How many changes there were.
        public var endIndex: Int { result.changes.count }

        /// The change at an index, with its outcome.
        public subscript(position: Int) -> Element { (result.changes[position], result[position]) }
    }

    /// Finds a failure by binary search: failures are sorted by index, and there may be as many as changes.
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
    /// The outcome as text: `done`, `failed: cannot …`, `unknown`, `not sent`.
    public var description: String {
        switch self {
        case .done: "done"
        case .failed(let error): "failed: \(error)"
        case .unknown: "unknown"
        case .notSent: "not sent"
        }
    }
}
