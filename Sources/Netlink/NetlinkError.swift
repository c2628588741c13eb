package import SystemPackage

/// Why an exchange failed as a whole. The kernel's answers to single messages of a batch are in the `BatchOutcome`
/// instead.
package enum NetlinkError: Error, Equatable {
    /// The socket could not be opened, or failed.
    case socket(Errno)
    /// The namespace of the socket could not be entered.
    case namespace(Errno)
    /// The generic netlink family does not exist, and the kernel could not load it.
    case familyNotFound(String)
    case interrupted(Interruption)
    /// The kernel answered with an errno, and perhaps with a message of its own.
    case refused(Errno, message: String? = nil)
}

extension NetlinkError {
    /// The kernel's errno, or the errno that corresponds to a passed deadline or a cancellation; nil for other errors.
    package var errno: Errno? {
        switch self {
        case .socket(let errno), .namespace(let errno), .refused(let errno, _), .interrupted(.socket(let errno)): errno
        case .interrupted(.deadlineExceeded): .timedOut
        case .interrupted(.cancelled): .canceled
        case .familyNotFound, .interrupted: nil
        }
    }

    /// The kernel's own message, if it sent one.
    package var message: String? {
        if case .refused(_, let message) = self { message } else { nil }
    }
}

/// The cause that cut an exchange short.
package enum Interruption: Equatable, Sendable {
    case deadlineExceeded
    case cancelled
    /// The client was closed.
    case closed
    /// The kernel dropped replies because the socket's buffer was full (`ENOBUFS`).
    case repliesLost
    /// The kernel sent bytes that are not netlink.
    case malformedReply
    /// The list changed during every attempt at reading it (`NLM_F_DUMP_INTR`).
    case inconsistent
    /// The family existed when the socket was opened and does no longer, because its module was unloaded.
    case familyNotFound
    case socket(Errno)
}
