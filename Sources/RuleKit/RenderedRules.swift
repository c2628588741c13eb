public import IPVSKit

/// A ``RuleSet`` in the form of a backend: constant rules for the role, and the elements of the sets that the rules
/// use.
public struct RenderedRules: Hashable, Sendable {
    /// The role of the namespace; nil if it needs no rules.
    public var role: RuleRole?
    /// Whose the rules are to say they are.
    public var owner: RuleOwner?
    /// The elements of the sets.
    public var elements: Set<SetElement>
    /// The sets in the reverse of the order in which a packet meets them.
    public var order: [String]
    /// The sets that hold each port of a range as an element of its own.
    public var setsWithSinglePorts: Set<String>
    /// The sets in which no network may overlap another.
    public var disjoint: Set<String>
    /// The sets that contain the ports to which published ports are translated before IPVS sees the packet, with their
    /// families.
    public var translating: [String: AddressFamily]
    /// The sets that a packet meets only after IPVS has forwarded it.
    public var setsBehindIPVS: Set<String>

    /// Rules by their parts, for a backend of your own. By default a role has no elements.
    public init(
        role: RuleRole?, owner: RuleOwner? = nil, elements: Set<SetElement> = [], order: [String] = [],
        setsWithSinglePorts: Set<String> = [], disjoint: Set<String> = [], translating: [String: AddressFamily] = [:],
        setsBehindIPVS: Set<String> = []
    ) {
        self.role = role
        self.owner = owner
        self.elements = elements
        self.order = order
        self.setsWithSinglePorts = setsWithSinglePorts
        self.disjoint = disjoint
        self.translating = translating
        self.setsBehindIPVS = setsBehindIPVS
    }
}
