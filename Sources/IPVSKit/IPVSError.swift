public import SystemPackage

/// Why something asked of IPVS did not happen: what was asked, what the kernel answered, what that means.
///
/// ```swift
/// do { try await ipvs.delete(web) } catch let error where error.code == .serviceNotFound { }
/// ```
public struct IPVSError: Error, Hashable, Sendable {
    /// What went wrong, by object. Open: compare with the constants, and expect others in later versions.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Wrapped: String, CaseIterable {
            case serviceNotFound = "no such service"
            case serviceExists = "the service exists already"
            case destinationNotFound = "no such destination"
            case destinationExists = "the destination exists already"
            case schedulerNotFound = "no such scheduler"
            case persistenceEngineNotFound = "no such persistence engine"
            case daemonRunning = "a daemon of that role is running already"
            case daemonNotRunning = "no daemon of that role is running"
            case interfaceNotFound = "no such interface"
            case settingNotFound = "the kernel has no such setting"
            case notPermitted = "not permitted"
            case invalid = "the values are refused"
            case outOfRange = "a value is out of range"
            case familyNotSupported = "the kernel does not support the address family"
            case unavailable = "the kernel has no IPVS"
            case namespace = "the network namespace cannot be used"
            case deadlineExceeded = "the deadline passed"
            case cancelled = "the task was cancelled"
            case closed = "the client is closed"
            case outcomeUnknown = "the kernel's answer was lost"
            case inconsistent = "the table changes faster than it can be read"
            case communication = "talking to the kernel failed"
            case other = "the kernel refuses"
        }

        private let wrapped: Wrapped
        private init(_ wrapped: Wrapped) { self.wrapped = wrapped }

        /// `ESRCH`: no service of this id.
        public static let serviceNotFound = Self(.serviceNotFound)
        /// `EEXIST` for a service.
        public static let serviceExists = Self(.serviceExists)
        /// `ENOENT` for a destination.
        public static let destinationNotFound = Self(.destinationNotFound)
        /// `EEXIST` for a destination.
        public static let destinationExists = Self(.destinationExists)
        /// `ENOENT` for a service that is created or changed: no module `ip_vs_NAME`.
        ///
        /// Where the service has a persistence engine the kernel does not say which of the two it missed, and is asked for
        /// the scheduler alone. Only where that fails, as in a kernel without IPv6, may it be the engine all the same; the
        /// hint says so then.
        public static let schedulerNotFound = Self(.schedulerNotFound)
        /// `ENOENT` for a service whose scheduler there is: no module `ip_vs_pe_NAME`.
        public static let persistenceEngineNotFound = Self(.persistenceEngineNotFound)
        /// `EEXIST` for a sync daemon.
        public static let daemonRunning = Self(.daemonRunning)
        /// `ESRCH` for a sync daemon.
        public static let daemonNotRunning = Self(.daemonNotRunning)
        /// `ENODEV` for a sync daemon.
        public static let interfaceNotFound = Self(.interfaceNotFound)
        /// A setting (``Setting``) was to be written that this kernel, or this build of it, has not got.
        public static let settingNotFound = Self(.settingNotFound)
        /// `EPERM`: no CAP_NET_ADMIN, or one that holds in a user namespace only, see
        /// ``IPVSError/isInUserNamespace``.
        public static let notPermitted = Self(.notPermitted)
        /// `EINVAL`; or, without an errno, what was refused here before anything was sent: see
        /// ``IPVSError/wasRefusedBeforeSending``.
        public static let invalid = Self(.invalid)
        /// `ERANGE`: a weight past 2³¹−1, or a lower threshold above the upper one.
        public static let outOfRange = Self(.outOfRange)
        /// `EAFNOSUPPORT`: IPv6 is off or not built in.
        public static let familyNotSupported = Self(.familyNotSupported)
        /// The generic netlink family `IPVS` is not there and could not be loaded (module `ip_vs`).
        public static let unavailable = Self(.unavailable)
        /// The namespace is gone or cannot be entered.
        public static let namespace = Self(.namespace)
        /// No answer in time. What of the call was done is unknown, unless it only read.
        public static let deadlineExceeded = Self(.deadlineExceeded)
        /// The task was cancelled. What of the call was done is unknown, unless it only read.
        public static let cancelled = Self(.cancelled)
        /// The client was closed (``IPVS/close()``), before the call or during it. What of the call was done is unknown, unless
        /// it only read, or began later.
        public static let closed = Self(.closed)
        /// An answer was lost (`ENOBUFS`): what of the call was done is unknown.
        public static let outcomeUnknown = Self(.outcomeUnknown)
        /// No two readings of the table in a row were alike.
        public static let inconsistent = Self(.inconsistent)
        /// The socket failed, or what came was not netlink.
        public static let communication = Self(.communication)
        /// Any other errno of the kernel's.
        public static let other = Self(.other)

        /// The meaning in words.
        public var description: String { wrapped.rawValue }

        /// The name of the constant.
        var name: String { "\(wrapped)" }

        /// Nil where no constant has the name.
        init?(name: String) {
            guard let wrapped = Wrapped.allCases.first(where: { "\($0)" == name }) else { return nil }
            self.init(wrapped)
        }
    }

    /// What went wrong.
    public var code: Code
    /// What the kernel answered, exactly; nil where it was not the kernel that answered.
    public var errno: Errno?
    /// Whether IPVS answered ``Code/notPermitted`` to a process in another user namespace than the host's. Whatever
    /// capabilities it has there, IPVS does not count them: root in a rootless container is refused, and to be root is
    /// no cure.
    public var isInUserNamespace = false
    /// Whether it was this library that refused, and the kernel has heard nothing of it: the kernel would have taken it
    /// without a word, and not done it. ``hint`` says what that is.
    public var wasRefusedBeforeSending: Bool { code == .invalid && errno == nil }
    /// What was asked, in words: `add destination 10.0.0.2:80 to FWM 258`.
    public var operation: String
    /// The cause or the cure, where one is known.
    public var hint: String?

    /// An error as a call could throw it, for tests of what catches one.
    public init(_ code: Code, errno: Errno? = nil, operation: String, hint: String? = nil) {
        self.code = code
        self.errno = errno
        self.operation = operation
        self.hint = hint
    }
}

extension IPVSError: CustomStringConvertible {
    /// What was asked, what it means, the errno and the hint in one line.
    public var description: String {
        let errno = errno.map { " (errno \($0.rawValue): \($0))" } ?? ""
        let meaning = wasRefusedBeforeSending ? "refused before anything was sent" : code.description
        return "cannot \(operation): \(meaning)\(errno)" + (hint.map { "; \($0)" } ?? "")
    }
}
