/// What a backend found in the kernel, in the terms of a ``RuleSet``.
public struct ObservedRules: Hashable, Sendable {
    /// The rules that use what ``RuleSet`` varies: chains, jumps, sets. Their number does not depend on it.
    public enum Skeleton: Hashable, Sendable {
        /// Nothing of ours is there.
        case absent
        /// All is there and as it should be.
        case intact
        /// Something is missing, changed, or there twice.
        case damaged([RuleFault])
    }

    /// The state of the constant part.
    public var skeleton: Skeleton
    /// What varies.
    public var rules: RuleSet

    /// Nothing of ours, unless said otherwise.
    public init(skeleton: Skeleton = .absent, rules: RuleSet = RuleSet()) {
        self.skeleton = skeleton
        self.rules = rules
    }
}

/// One thing about the skeleton that is not as it should be.
public struct RuleFault: Hashable, Sendable, CustomStringConvertible {
    /// Where and what: `iptables mangle MESH-MARK: rule missing: …`.
    public let description: String

    /// A fault in words.
    public init(_ description: String) { self.description = description }
}
