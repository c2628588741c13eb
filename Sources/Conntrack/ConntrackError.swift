import Netlink
public import SystemPackage

/// Why something asked of the kernel's connection tracking did not happen.
public struct ConntrackError: Error, Hashable, Sendable {
    /// What went wrong. Open: compare with the constants, and expect others in later versions.
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

        /// `EPERM`: no CAP_NET_ADMIN in the namespace, or no CAP_SYS_ADMIN to enter it.
        public static let notPermitted = Self(.notPermitted)
        /// No module `nf_conntrack_netlink`, and it could not be loaded.
        public static let unavailable = Self(.unavailable)
        /// The namespace is gone or cannot be entered.
        public static let namespace = Self(.namespace)
        /// No answer in time. How many flows were deleted is unknown.
        public static let deadlineExceeded = Self(.deadlineExceeded)
        /// The task was cancelled. How many flows were deleted is unknown.
        public static let cancelled = Self(.cancelled)
        /// The socket failed, or what came was not netlink. How many flows were deleted is unknown.
        public static let communication = Self(.communication)
        /// Any other errno of the kernel's.
        public static let other = Self(.other)

        /// The meaning in words.
        public var description: String { wrapped.rawValue }
    }

    /// What went wrong.
    public var code: Code
    /// What the kernel answered, exactly; nil where it was not the kernel that answered.
    public var errno: Errno?
    /// What was asked, in words: `delete tracked flows`.
    public var operation: String
    /// The cause or the cure, where one is known.
    public var hint: String?
}

extension ConntrackError: CustomStringConvertible {
    /// What was asked, what it means, the errno and the hint in one line.
    public var description: String {
        let errno = errno.map { " (errno \($0.rawValue): \($0))" } ?? ""
        return "cannot \(operation): \(code)\(errno)" + (hint.map { "; \($0)" } ?? "")
    }
}

extension ConntrackError {
    /// What stopped the thread that talks to the kernel.
    init(_ failure: FlowSocket.Failure, operation: String) {
        switch failure {
        case .open(let errno), .refused(let errno): self.init(errno, operation: operation)
        case .socket(let errno): self.init(code: .communication, errno: errno, operation: operation)
        case .malformedReply:
            self.init(code: .communication, operation: operation, hint: "what the kernel sent is not netlink")
        case .stopped: self.init(code: .deadlineExceeded, operation: operation)
        }
    }

    init(_ error: NetlinkError, operation: String) {
        switch error {
        case .namespace(.notPermitted):
            self.init(
                code: .notPermitted, errno: .notPermitted, operation: operation,
                hint: "to enter another network namespace takes CAP_SYS_ADMIN: run it as root")
        case .namespace(let errno): self.init(code: .namespace, errno: errno, operation: operation)
        case .interrupted(.deadlineExceeded): self.init(code: .deadlineExceeded, operation: operation)
        case .interrupted(.cancelled): self.init(code: .cancelled, operation: operation)
        case .socket(let errno), .interrupted(.socket(let errno)), .refused(let errno, _):
            self.init(code: .communication, errno: errno, operation: operation)
        case .familyNotFound, .interrupted:
            self.init(code: .communication, operation: operation)
        }
    }

    /// What the kernel answers to a socket that is opened or a request.
    private init(_ errno: Errno, operation: String) {
        switch errno {
        case .notPermitted:
            self.init(
                code: .notPermitted, errno: errno, operation: operation,
                hint: "it takes CAP_NET_ADMIN in the user namespace that the network namespace belongs to: run it as "
                    + "root")
        // No nfnetlink to open a socket to; no subsystem of it that would take the request.
        case .protocolNotSupported, .invalidArgument:
            self.init(
                code: .unavailable, errno: errno, operation: operation,
                hint: "the kernel module nf_conntrack_netlink is missing: load it with `modprobe "
                    + "nf_conntrack_netlink`, or install a kernel built with CONFIG_NF_CT_NETLINK")
        default: self.init(code: .other, errno: errno, operation: operation)
        }
    }
}
