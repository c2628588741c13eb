/// The rules and elements of ours that a backend found in the kernel.
public struct ObservedRules: Hashable, Sendable {
    /// The state of the constant rules, chains, jumps and sets. Their number does not depend on the number of elements.
    public enum Skeleton: Hashable, Sendable {
        /// None of our rules are there.
        case absent
        /// All rules are there, and unchanged.
        case intact
        /// Some rules are missing, changed, or there twice.
        case damaged([RuleFault])
    }

    /// The state of the constant rules.
    public var skeleton: Skeleton
    /// The elements of the sets. Consecutive ports are one range in the sets of ``RenderedRules/setsWithSinglePorts``.
    public var elements: Set<SetElement>
    /// Whose the rules say they are. Nil where they do not say.
    public var owner: RuleOwner?

    /// By default no rules and no elements.
    public init(skeleton: Skeleton = .absent, elements: Set<SetElement> = [], owner: RuleOwner? = nil) {
        self.skeleton = skeleton
        self.elements = elements
        self.owner = owner
    }
}

/// One way in which the constant rules differ from the wanted ones.
public struct RuleFault: Hashable, Sendable, CustomStringConvertible {
    /// The place and the difference: `iptables mangle MESH-MARK: rule missing: …`.
    public let description: String

    /// A fault with a description.
    public init(_ description: String) { self.description = description }
}
