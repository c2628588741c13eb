public import IPVSKit

/// A ``RuleSet`` in the terms of a backend: constant rules for the role, and what is in the sets they look up.
public struct RenderedRules: Hashable, Sendable {
    /// Nil where a namespace needs no rules.
    public var role: RuleRole?
    /// What varies.
    public var elements: Set<SetElement> = []
    /// The sets in the order in which a packet meets what is in them, the last first.
    public var order: [String] = []
    /// The sets that hold each port of a range for itself.
    public var expanded: Set<String> = []
    /// The sets in which no network may overlap another.
    public var disjoint: Set<String> = []
    /// The sets that say which port one is translated to before IPVS sees it, and in which family.
    public var translating: [String: AddressFamily] = [:]
    /// The sets that a packet meets only after IPVS has sent it on.
    public var behind: Set<String> = []
}
