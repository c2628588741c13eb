/// The outcomes of the changes that were given to ``IPVS/perform(_:)``.
public struct PerformResult: Hashable, Sendable {
    /// A change that the kernel refused.
    public struct Failure: Hashable, Sendable {
        /// The index of the change among the given changes.
        public let index: Int
        /// Why the kernel refused it.
        public let error: IPVSError

        /// - Parameters:
        ///   - index: the index of the change among the given changes.
        ///   - error: why the kernel refused it.
        public init(index: Int, error: IPVSError) {
            self.index = index
            self.error = error
        }
    }

    /// The outcome of one change.
    public enum Outcome: Hashable, Sendable {
        /// The kernel made the change.
        case done
        /// The kernel refused the change.
        case failed(IPVSError)
        /// The call was interrupted after the change was sent: the kernel may have made it or not.
        case unknown
        /// The call was interrupted before the change was sent.
        case notSent
    }

    /// The number of changes.
    public let count: Int
    /// The changes, in the order in which they were given. Empty if the result was made from their number alone.
    public internal(set) var changes: [Change] = []
    /// The refused changes, by their index.
    public internal(set) var failures: [Failure] = []
    /// The error that interrupted the call; nil if it ran to its end.
    public internal(set) var interruption: IPVSError?
    var confirmed: Int
    var sent: Int

    init(count: Int) { self.init(count: count, failures: []) }

    /// Makes the result of a call that ran to its end, for tests of code that reads results.
    ///
    /// - Parameters:
    ///   - count: the number of changes.
    ///   - failures: the refused changes, by their index; all others count as done.
    public init(count: Int, failures: [Failure]) {
        self.count = count
        self.failures = failures.sorted { $0.index < $1.index }
        confirmed = count
        sent = count
    }

    /// Makes the result of a call that was interrupted, for tests of code that reads results.
    ///
    /// - Parameters:
    ///   - count: the number of changes.
    ///   - failures: the changes that the kernel is known to have refused, by their index.
    ///   - interruption: the error that interrupted the call.
    ///   - confirmed: the number of changes, from the first on, whose outcome is known.
    ///   - sent: the number of changes, from the first on, that were sent to the kernel.
    public init(count: Int, failures: [Failure], interruption: IPVSError, confirmed: Int, sent: Int) {
        precondition(0 <= confirmed && confirmed <= sent && sent <= count, "what is known was sent")
        self.count = count
        self.failures = failures.sorted { $0.index < $1.index }
        self.interruption = interruption
        self.confirmed = confirmed
        self.sent = sent
    }

    /// The outcome of the change at an index.
    public subscript(index: Int) -> Outcome {
        precondition(index >= 0 && index < count, "there were \(count) changes")
        if let failure = failure(index) { return .failed(failure.error) }
        if index < confirmed { return .done }
        return index < sent ? .unknown : .notSent
    }

    /// Throws the error that interrupted the call, or else the first refusal.
    public func get() throws(IPVSError) {
        if let interruption { throw interruption }
        if let first = failures.first { throw first.error }
    }
}
