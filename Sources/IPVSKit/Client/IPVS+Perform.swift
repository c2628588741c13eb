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
