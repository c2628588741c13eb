public import SystemPackage

/// The reason why a call to IPVS failed: the operation, the kernel's answer, and its meaning.
///
/// ```swift
/// do { try await ipvs.delete(web) } catch let error where error.code == .serviceNotFound { }
/// ```
public struct IPVSError: Error, Hashable, Sendable {
    /// The kind of error. More kinds may come with later versions, so compare with the constants.
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

        /// `ESRCH`: there is no service with this id.
        public static let serviceNotFound = Self(.serviceNotFound)
        /// `EEXIST` for a service.
        public static let serviceExists = Self(.serviceExists)
        /// `ENOENT` for a destination.
        public static let destinationNotFound = Self(.destinationNotFound)
        /// `EEXIST` for a destination.
        public static let destinationExists = Self(.destinationExists)
        /// `ENOENT` for a service that is created or changed: there is no module `ip_vs_NAME`.
        ///
        /// If the service has a persistence engine, the kernel does not say which of the two modules is missing. The
        /// library then asks the kernel for the scheduler alone. If that question fails too, as in a kernel without
        /// IPv6, the missing module may be the engine's; the hint says so.
        public static let schedulerNotFound = Self(.schedulerNotFound)
        /// `ENOENT` for a service whose scheduler exists: there is no module `ip_vs_pe_NAME`.
        public static let persistenceEngineNotFound = Self(.persistenceEngineNotFound)
        /// `EEXIST` for a sync daemon.
        public static let daemonRunning = Self(.daemonRunning)
        /// `ESRCH` for a sync daemon.
        public static let daemonNotRunning = Self(.daemonNotRunning)
        /// `ENODEV` for a sync daemon.
        public static let interfaceNotFound = Self(.interfaceNotFound)
        /// This kernel, or this build of it, does not have the setting (``Setting``) that was to be written.
        public static let settingNotFound = Self(.settingNotFound)
        /// `EPERM`: the process has no CAP_NET_ADMIN, or has it only in a user namespace of its own; see
        /// ``IPVSError/isInUserNamespace``.
        public static let notPermitted = Self(.notPermitted)
        /// `EINVAL` from the kernel. Without an errno, the library itself refused the values: see
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
        /// The kernel did not answer in time. Which changes were made is unknown, unless the call only read.
        public static let deadlineExceeded = Self(.deadlineExceeded)
        /// The task was cancelled. Which changes were made is unknown, unless the call only read.
        public static let cancelled = Self(.cancelled)
        /// The client was closed (``IPVS/close()``) before or during the call. Which changes were made is unknown,
        /// unless the call only read or began after the client was closed.
        public static let closed = Self(.closed)
        /// An answer was lost (`ENOBUFS`). Which changes were made is unknown.
        public static let outcomeUnknown = Self(.outcomeUnknown)
        /// The table changed each time it was read, so that no two readings in a row were equal.
        public static let inconsistent = Self(.inconsistent)
        /// The socket failed, or the kernel sent bytes that are not netlink.
        public static let communication = Self(.communication)
        /// Any other errno of the kernel's.
        public static let other = Self(.other)

        /// The meaning as text.
        public var description: String { wrapped.rawValue }

        /// The name of the constant.
        var name: String { "\(wrapped)" }

        /// Nil if no constant has the name.
        init?(name: String) {
            guard let wrapped = Wrapped.allCases.first(where: { "\($0)" == name }) else { return nil }
            self.init(wrapped)
        }
    }

    /// The kind of error.
    public var code: Code
    /// The errno with which the kernel answered; nil if the error does not come from the kernel.
    public var errno: Errno?
    /// Whether IPVS answered ``Code/notPermitted`` to a process in another user namespace than the initial one. IPVS
    /// ignores the capabilities that the process has there, so root in a rootless container is refused, and running as
    /// root does not help.
    public var isInUserNamespace = false
    /// Whether this library refused the values without asking the kernel, because the kernel would have accepted them
    /// and not acted on them. ``hint`` says why.
    public var wasRefusedBeforeSending: Bool { code == .invalid && errno == nil }
    /// The operation as text: `add destination 10.0.0.2:80 to FWM 258`.
    public var operation: String
    /// The cause or the remedy, if one is known.
    public var hint: String?

    /// Makes an error as a call could throw it, for tests of code that catches errors.
    public init(_ code: Code, errno: Errno? = nil, operation: String, hint: String? = nil) {
        self.code = code
        self.errno = errno
        self.operation = operation
        self.hint = hint
    }
}

extension IPVSError: CustomStringConvertible {
    /// The operation, the meaning of the error, the errno and the hint in one line.
    public var description: String {
        let errno = errno.map { " (errno \($0.rawValue): \($0))" } ?? ""
        let meaning = wasRefusedBeforeSending ? "refused before anything was sent" : code.description
        return "cannot \(operation): \(meaning)\(errno)" + (hint.map { "; \($0)" } ?? "")
    }
}
