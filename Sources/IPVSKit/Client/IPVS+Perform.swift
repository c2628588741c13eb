import Logging
import Netlink

extension IPVS {
    /// Sends changes as one pipeline, 64 to a system call, in order. A change that fails stops none behind it.
    ///
    /// Not a transaction: the kernel knows none. The result tells what became of each change.
    ///
    /// - Throws: where nothing was done at all: ``IPVSError/Code/unavailable``, ``IPVSError/Code/namespace``,
    ///   ``IPVSError/Code/communication``, and ``IPVSError/Code/invalid`` for what the kernel would take without a word and
    ///   not do, such as a service of port 0 that is not persistent: <doc:Refusals> lists all of it.
    public func perform(_ changes: some Collection<Change> & Sendable) async throws(IPVSError) -> PerformResult {
        guard !changes.isEmpty else { return PerformResult(count: 0) }
        // An array, which is walked in place; one that was given is not copied.
        let changes = Array(changes)
        do throws(IPVSError) { try Change.validate(changes) } catch { throw report(error) }
        return try await performUnchecked(changes)
    }

    /// Sends what ``perform(_:)`` refuses, too: for tests of what the kernel makes of it.
    package func performUnchecked(_ changes: [Change]) async throws(IPVSError) -> PerformResult {
        let messages = Messages(changes.count) { range, writer in writer.write(changes, range) }

        let outcome: BatchOutcome
        do throws(NetlinkError) {
            outcome = try await client.send(messages, deadline: deadline)
        } catch {
            throw report(IPVSError(error, operation: Self.summary(changes)))
        }

        var result = PerformResult(changes: changes)
        if let interruption = outcome.interruption {
            result.interruption = report(IPVSError(interruptedBy: interruption, operation: Self.summary(changes)))
            result.confirmed = outcome.confirmed
            result.sent = outcome.sent
        }
        for failure in outcome.failures {
            let error = await refusal(failure, of: changes[failure.index])
            result.failures.append(.init(index: failure.index, error: report(error)))
        }
        return result
    }

    private static func summary(_ changes: [Change]) -> String {
        changes.count == 1 ? "\(changes[0])" : "\(changes[0]), and \(changes.count - 1) changes more"
    }

    func report(_ error: IPVSError) -> IPVSError {
        logger.debug("\(error)")
        return error
    }
}

/// What became of each change that ``IPVS/perform(_:)`` was given.
public struct PerformResult: Hashable, Sendable {
    /// A change that the kernel refused.
    public struct Failure: Hashable, Sendable {
        /// The place of the change in what was given.
        public let index: Int
        /// Why.
        public let error: IPVSError

        /// - Parameters:
        ///   - index: the place of the change in what was given.
        ///   - error: why it was refused.
        public init(index: Int, error: IPVSError) {
            self.index = index
            self.error = error
        }
    }

    /// What is known of one change.
    public enum Outcome: Hashable, Sendable {
        /// The kernel did it.
        case done
        /// The kernel refused it.
        case failed(IPVSError)
        /// The call was cut short after this was handed to the kernel: it may be done or not.
        case unknown
        /// The call was cut short before this was handed to the kernel.
        case notSent
    }

    /// How many changes there were.
    public let count: Int
    /// The changes, in the order in which they were given. Empty where a result was made of their number alone.
    public internal(set) var changes: [Change] = []
    /// The refused ones, by their place.
    public internal(set) var failures: [Failure] = []
    /// Nil where the call ran to its end; else what cut it short.
    public internal(set) var interruption: IPVSError?
    var confirmed: Int
    var sent: Int

    init(count: Int) { self.init(count: count, failures: []) }

    /// A result as a call that ran to its end could give it, for tests of what reads one.
    ///
    /// - Parameters:
    ///   - count: how many changes there were.
    ///   - failures: the refused ones, by their place; the others are done.
    public init(count: Int, failures: [Failure]) {
        self.count = count
        self.failures = failures.sorted { $0.index < $1.index }
        confirmed = count
        sent = count
    }

    /// A result as a call that was cut short could give it, for tests of what reads one.
    ///
    /// - Parameters:
    ///   - count: how many changes there were.
    ///   - failures: those that are known to have been refused, by their place.
    ///   - interruption: what cut it short.
    ///   - confirmed: of how many, from the first on, it is known what became of them.
    ///   - sent: how many, from the first on, were handed to the kernel.
    public init(count: Int, failures: [Failure], interruption: IPVSError, confirmed: Int, sent: Int) {
        precondition(0 <= confirmed && confirmed <= sent && sent <= count, "what is known was sent")
        self.count = count
        self.failures = failures.sorted { $0.index < $1.index }
        self.interruption = interruption
        self.confirmed = confirmed
        self.sent = sent
    }

    /// What became of the change at a place.
    public subscript(index: Int) -> Outcome {
        precondition(index >= 0 && index < count, "there were \(count) changes")
        if let failure = failure(index) { return .failed(failure.error) }
        if index < confirmed { return .done }
        return index < sent ? .unknown : .notSent
    }

    /// Throws what cut the call short, or else the first refusal.
    public func get() throws(IPVSError) {
        if let interruption { throw interruption }
        if let first = failures.first { throw first.error }
    }
}
