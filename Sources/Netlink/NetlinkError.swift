package import SystemPackage

/// Why an exchange as a whole came to nothing. What the kernel answers to a message of a batch is not this: it
/// stands in the `BatchOutcome`.
package enum NetlinkError: Error, Equatable {
    /// The socket could not be opened, or failed.
    case socket(Errno)
    /// The namespace of the socket could not be entered.
    case namespace(Errno)
    /// No such generic netlink family, and the kernel could not load it.
    case familyNotFound(String)
    case interrupted(Interruption)
    /// The kernel answered with an errno, and with words of its own where it has some.
    case refused(Errno, message: String? = nil)
}

extension NetlinkError {
    /// What the kernel said, where it is that.
    package var errno: Errno? {
        switch self {
        case .socket(let errno), .namespace(let errno), .refused(let errno, _), .interrupted(.socket(let errno)): errno
        case .interrupted(.deadlineExceeded): .timedOut
        case .interrupted(.cancelled): .canceled
        case .familyNotFound, .interrupted: nil
        }
    }

    /// The kernel's own words, where it has some.
    package var message: String? {
        if case .refused(_, let message) = self { message } else { nil }
    }
}

/// What cut an exchange short.
package enum Interruption: Equatable, Sendable {
    case deadlineExceeded
    case cancelled
    /// The client was closed.
    case closed
    /// The kernel dropped replies because the socket's buffer was full (`ENOBUFS`).
    case repliesLost
    /// The kernel sent what is not netlink.
    case malformedReply
    /// What was listed changed during each of the readings (`NLM_F_DUMP_INTR`).
    case inconsistent
    /// The family was there when the socket was opened, and is no longer: its module was unloaded.
    case familyNotFound
    case socket(Errno)
}
