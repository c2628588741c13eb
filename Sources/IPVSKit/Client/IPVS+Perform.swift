import Logging
import Netlink

extension IPVS {
    /// Sends changes in order as one pipeline, 64 in each system call. The changes behind a failed change are still
    /// made.
    ///
    /// This is not a transaction, which the kernel does not offer. The result tells the outcome of each change.
    ///
    /// - Throws: an error if no change was made at all: ``IPVSError/Code/unavailable``, ``IPVSError/Code/namespace``,
    ///   ``IPVSError/Code/communication``, or ``IPVSError/Code/invalid`` for a change that the kernel would accept and
    ///   not act on, such as a service of port 0 that is not persistent. <doc:Refusals> lists all such changes.
    public func perform(_ changes: some Collection<Change> & Sendable) async throws(IPVSError) -> PerformResult {
        guard !changes.isEmpty else { return PerformResult(count: 0) }
        // An array can be walked in place. Making an array of an array copies nothing.
        let changes = Array(changes)
        do throws(IPVSError) { try Change.validate(changes) } catch { throw report(error) }
        return try await performUnchecked(changes)
    }

    /// Sends also the changes that ``perform(_:)`` refuses, for tests of how the kernel handles them.
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
        changes.count == 1 ? "\(changes[0])" : "\(changes[0]), and \(changes.count - 1) more changes"
    }

    func report(_ error: IPVSError) -> IPVSError {
        logger.debug("\(error)")
        return error
    }
}
