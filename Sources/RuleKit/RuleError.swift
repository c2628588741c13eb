/// Why rules could not be read or written.
public struct RuleError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of error.
    public enum Code: Hashable, Sendable {
        /// A program is not in `PATH`.
        case toolMissing
        /// The kernel lacks a table, match, target, expression or set type.
        case kernelLacksSupport
        /// No CAP_NET_ADMIN or CAP_NET_RAW.
        case notPermitted
        /// The kernel refuses for another reason.
        case refused
        /// A library or a program did not return in time. It may still be running, and change the rules yet.
        case deadlineExceeded
        /// The task was cancelled. What it waited for may still be running, and change the rules yet.
        case cancelled
    }

    /// The kind of error.
    public var code: Code
    /// The operation as text: `read the rules of iptables`.
    public var operation: String
    /// The message of the tool, the library or the kernel.
    public var reason: String
    /// The remedy, if one is known.
    public var hint: String?

    /// An error by its parts.
    public init(code: Code, operation: String, reason: String, hint: String? = nil) {
        self.code = code
        self.operation = operation
        self.reason = reason
        self.hint = hint
    }

    /// What was asked, why it failed, and what to do.
    public var description: String { "cannot \(operation): \(reason)" + (hint.map { "; \($0)" } ?? "") }
}
