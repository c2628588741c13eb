/// Writes rules into the kernel for a network namespace, and reads them back.
public protocol RuleBackend: Sendable {
    /// The name of the backend, as `--rules` takes it.
    var name: String { get }

    /// The rules and elements that the kernel should hold for a rule set. A pure function.
    func render(_ rules: RuleSet) -> RenderedRules

    /// Reads our rules and elements from the kernel.
    ///
    /// - Parameter role: the wanted role of the namespace; each difference from its rules is a fault.
    func read(expecting role: RuleRole) async throws(RuleError) -> ObservedRules

    /// Makes the changes, in an order in which no packet meets a rule whose elements are missing. If a change is
    /// refused, the previous rules stay in force, as far as the backend has transactions.
    ///
    /// - Returns: the objects that could not be removed.
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
    }

    /// What went wrong.
    public var code: Code
    /// What was asked, in words.
    public var operation: String
    /// What the tool, the library or the kernel said.
    public var reason: String
    /// What to do, where that is known.
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
