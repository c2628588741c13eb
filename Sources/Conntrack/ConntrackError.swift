import Netlink
public import SystemPackage

/// Why a request to the kernel's connection tracking failed.
public struct ConntrackError: Error, Hashable, Sendable {
    /// The kind of failure. Compare it with the constants, and expect further ones in later versions.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Wrapped: String {
            case notPermitted = "not permitted"
            case unavailable = "the kernel has no connection tracking to ask"
            case namespace = "the network namespace cannot be used"
            case deadlineExceeded = "the deadline passed"
            case cancelled = "the task was cancelled"
            case communication = "talking to the kernel failed"
            case other = "the kernel refuses"
        }

        private let wrapped: Wrapped
        private init(_ wrapped: Wrapped) { self.wrapped = wrapped }

        /// `EPERM`: the process lacks CAP_NET_ADMIN in the namespace, or CAP_SYS_ADMIN to enter it.
        public static let notPermitted = Self(.notPermitted)
        /// The module `nf_conntrack_netlink` is missing and could not be loaded.
        public static let unavailable = Self(.unavailable)
        /// The namespace is gone or cannot be entered.
        public static let namespace = Self(.namespace)
        /// The kernel did not answer in time. How many flows were deleted is unknown.
        public static let deadlineExceeded = Self(.deadlineExceeded)
        /// The task was cancelled. How many flows were deleted is unknown.
        public static let cancelled = Self(.cancelled)
        /// The socket failed, or the answer was not netlink. How many flows were deleted is unknown.
        public static let communication = Self(.communication)
        /// Any other errno of the kernel's.
        public static let other = Self(.other)

        /// The meaning in words.
        public var description: String { wrapped.rawValue }
    }

    /// The kind of failure.
    public var code: Code
    /// The exact errno of the kernel; nil if the failure is not the kernel's answer.
    public var errno: Errno?
    /// The request in words: `delete tracked flows`.
    public var operation: String
    /// The cause or the remedy, if known.
    public var hint: String?
}

extension ConntrackError: CustomStringConvertible {
    /// The request, the failure, the errno and the hint in one line.
    public var description: String {
        let errno = errno.map { " (errno \($0.rawValue): \($0))" } ?? ""
        return "cannot \(operation): \(code)\(errno)" + (hint.map { "; \($0)" } ?? "")
    }
}

extension ConntrackError {
    init(_ error: NetlinkError, operation: String) {
        switch error {
        case .namespace(.notPermitted):
            self.init(
                code: .notPermitted, errno: .notPermitted, operation: operation,
                hint: "to enter another network namespace takes CAP_SYS_ADMIN: run it as root")
        case .namespace(let errno): self.init(code: .namespace, errno: errno, operation: operation)
        case .interrupted(.deadlineExceeded): self.init(code: .deadlineExceeded, operation: operation)
        case .interrupted(.cancelled): self.init(code: .cancelled, operation: operation)
        // The kernel has no nfnetlink.
        case .socket(.protocolNotSupported): self.init(.protocolNotSupported, operation: operation)
        case .refused(let errno, let message):
            self.init(errno, operation: operation)
            if hint == nil, let message { hint = "the kernel says: \(message)" }
        case .interrupted(.malformedReply):
            self.init(code: .communication, operation: operation, hint: "what the kernel sent is not netlink")
        case .interrupted(.repliesLost):
            self.init(code: .communication, errno: .noBufferSpace, operation: operation)
        case .socket(let errno), .interrupted(.socket(let errno)):
            self.init(code: .communication, errno: errno, operation: operation)
        case .familyNotFound, .interrupted:
            self.init(code: .communication, operation: operation)
        }
    }

    /// An error from the kernel's answer to opening a socket or to a request.
    private init(_ errno: Errno, operation: String) {
        switch errno {
        case .notPermitted:
            self.init(
                code: .notPermitted, errno: errno, operation: operation,
                hint: "it takes CAP_NET_ADMIN in the user namespace that the network namespace belongs to: run it as "
                    + "root")
        // The kernel answers EINVAL if no subsystem of nfnetlink handles the request.
        case .protocolNotSupported, .invalidArgument:
            self.init(
                code: .unavailable, errno: errno, operation: operation,
                hint: "the kernel module nf_conntrack_netlink is missing: load it with `modprobe "
                    + "nf_conntrack_netlink`, or install a kernel built with CONFIG_NF_CT_NETLINK")
        default: self.init(code: .other, errno: errno, operation: operation)
        }
    }
}
