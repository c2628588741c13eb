package import SystemPackage

/// What became of each message of a batch.
package struct BatchOutcome: Equatable, Sendable {
    package struct Failure: Equatable, Sendable {
        package var index: Int
        package var errno: Errno
        /// The kernel's own words (`NLMSGERR_ATTR_MSG`), where it has some.
        package var message: String?
    }

    /// How many messages there were.
    package var count: Int
    /// Messages up to here have a known outcome: a failure below, or success.
    package var confirmed = 0
    /// Messages from `confirmed` up to here were handed to the kernel without an answer seen: unknown.
    /// From here on nothing was sent.
    package var sent = 0
    /// In order of their index. May name messages beyond `confirmed`.
    package var failures: [Failure] = []
    /// Nil where the batch ran to its end.
    package var interruption: Interruption?

    package init(count: Int) {
        self.count = count
    }
}

extension BatchOutcome {
    /// Throws what cut the batch short, or else the first refusal.
    package func check() throws(NetlinkError) {
        if let interruption { throw .interrupted(interruption) }
        if let failure = failures.first { throw .refused(failure.errno, message: failure.message) }
    }
}
