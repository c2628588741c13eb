/// Writes rules into the kernel for a network namespace, and reads them back.
public protocol RuleBackend: Sendable {
    /// The name of the backend: `nftables` or `iptables`.
    var name: String { get }

    /// The rules and elements that the kernel should hold for a rule set. A pure function.
    func render(_ rules: RuleSet) -> RenderedRules

    /// Reads our rules and elements from the kernel.
    ///
    /// - Parameter role: the wanted role of the namespace; each difference from its rules is a fault.
    func read(expecting role: RuleRole) async throws(RuleError) -> ObservedRules

    /// Whose our rules in the kernel say they are. Nil where there are none, or they do not say.
    func owner() async throws(RuleError) -> RuleOwner?

    /// Makes the changes, in an order in which no packet meets a rule whose elements are missing. If a change is
    /// refused, the previous rules stay in force, as far as the backend has transactions.
    ///
    /// - Returns: the objects that could not be removed.
    @discardableResult
    func apply(_ changes: [RuleChange]) async throws(RuleError) -> [RuleRemnant]
}

extension RuleBackend {
    /// Makes the kernel hold what a rule set asks for, and no more: reads what is there, and makes the changes. For
    /// programs that change nothing in IPVS meanwhile; ``RenderedRules/changes(from:)`` says what comes before that and
    /// what after.
    ///
    /// - Returns: the objects that could not be removed.
    @discardableResult
    public func apply(_ rules: RuleSet) async throws(RuleError) -> [RuleRemnant] {
        let found = try await read(expecting: rules.role)
        let changes = render(rules).changes(from: found)
        let remnants = try await apply(changes.additions)
        return try await remnants + apply(changes.removals)
    }
}
