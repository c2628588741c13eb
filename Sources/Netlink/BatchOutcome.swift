package import SystemPackage

/// The outcome of each message of a batch.
package struct BatchOutcome: Equatable, Sendable {
    package struct Failure: Equatable, Sendable {
        package var index: Int
        package var errno: Errno
        /// The kernel's own message (`NLMSGERR_ATTR_MSG`), if it sent one.
        package var message: String?
    }

    /// The number of messages in the batch.
    package var count: Int
    /// The outcome of the messages before this index is known: success, unless ``failures`` lists them.
    package var confirmed = 0
    /// The messages from ``confirmed`` up to this index were given to the kernel, but their answers have not been seen,
    /// so their outcome is unknown. Later messages were not sent.
    package var sent = 0
    /// The failures in the order of their indices. They may include messages beyond ``confirmed``.
    package var failures: [Failure] = []
    /// The cause that cut the batch short; nil if the batch ran to its end.
    package var interruption: Interruption?

    package init(count: Int) {
        self.count = count
    }
}

extension BatchOutcome {
    /// Throws the interruption of the batch, or else the first refusal.
    package func check() throws(NetlinkError) {
        if let interruption { throw .interrupted(interruption) }
        if let failure = failures.first { throw .refused(failure.errno, message: failure.message) }
    }
}
