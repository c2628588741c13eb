package import SystemPackage

/// The message of a transaction that the kernel refused, and why. Nothing of the transaction was carried out.
package struct TransactionRefusal: Equatable, Sendable {
    /// The index of the message; nil if the transaction was refused as a whole.
    package var index: Int?
    package var errno: Errno
    /// The kernel's own message, if it sent one.
    package var message: String?
}

extension NetlinkClient {
    /// Carries out the messages as one transaction of a netfilter subsystem (`NFNL_MSG_BATCH_BEGIN` to
    /// `NFNL_MSG_BATCH_END`): all of them or none.
    ///
    /// - Returns: nil if everything was carried out, or the first refusal if nothing was.
    /// - Throws: an error if it is unknown which of the two happened: the deadline passed, the task was cancelled, or
    ///   answers were lost.
    package func commit(
        _ messages: Messages, subsystem: UInt16, deadline: Duration
    ) async throws(NetlinkError) -> TransactionRefusal? {
        guard messages.count > 0 else { return nil }
        // The beginning and the end are messages with sequence numbers, too.
        let whole = Messages(messages.count + 2) { _, writer in
            writer.netfilterMessage(0x10, family: 0, resource: subsystem)
            messages.write(0..<messages.count, &writer)
            writer.acknowledgeLast()
            writer.netfilterMessage(0x11, family: 0, resource: subsystem)
        }
        let exchange = Exchange(messages: whole, mode: .transaction, handler: { _, _ in })
        let outcome = try await run(exchange, deadline: deadline)
        // A refusal is certain, even if later answers were lost.
        if let failure = outcome.failures.first {
            let isOne = (1...messages.count).contains(failure.index)
            return TransactionRefusal(
                index: isOne ? failure.index - 1 : nil, errno: failure.errno, message: failure.message)
        }
        if let interruption = outcome.interruption { throw .interrupted(interruption) }
        return nil
    }
}
