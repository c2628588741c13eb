/// What carries rules into the kernel of a namespace and reads them back.
public protocol RuleBackend: Sendable {
    /// The name that `--rules` knows it by.
    var name: String { get }

    /// What the kernel should hold for rules. Pure.
    func render(_ rules: RuleSet) -> RenderedRules

    /// What is in the kernel of what is ours.
    ///
    /// - Parameter role: what the namespace should be; what is not as it takes is a fault.
    func read(expecting role: RuleRole) async throws(RuleError) -> ObservedRules

    /// Makes changes, in an order in which no packet meets a rule before what the rule looks up. Where one is refused,
    /// what was in force before still is, as far as the backend has transactions.
    ///
    /// - Returns: what had to stay of what was to be taken away.
    @discardableResult
    func apply(_ changes: [RuleChange]) async throws(RuleError) -> [RuleRemnant]
}

/// Why rules could not be read or written.
public struct RuleError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What went wrong.
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

    /// What went wrong.
    public var code: Code
    /// What was asked, in words.
    public var operation: String
    /// What the tool, the library or the kernel said.
    public var reason: String
    /// What to do, where that is known.
    public var hint: String?

    /// What was asked, why it failed, and what to do.
    public var description: String { "cannot \(operation): \(reason)" + (hint.map { "; \($0)" } ?? "") }
}
