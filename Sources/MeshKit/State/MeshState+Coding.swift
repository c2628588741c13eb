import IPVSKit
import RuleKit

extension MeshState {
    private enum CodingKeys: String, CodingKey {
        case schema, generation, services, retiringMarks, originalSysctls, originalTCPTimeoutSeconds, reservedPorts
        case hairpinPorts, hasLoopback = "loopback", rules, formerRules, staleFlows
    }

    /// Reads a document of this layout or an older one; what an older one does not say is as it was then.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        generation = try container.decode(UInt64.self, forKey: .generation)
        services = try container.decode([String: Service].self, forKey: .services)
        retiringMarks = try container.decode(Set<FirewallMark>.self, forKey: .retiringMarks)
        originalSysctls = try container.decode([Sysctl: String].self, forKey: .originalSysctls)
        originalTCPTimeoutSeconds = try container.decodeIfPresent(UInt32.self, forKey: .originalTCPTimeoutSeconds)
        reservedPorts = try container.decodeIfPresent([ClosedRange<UInt16>].self, forKey: .reservedPorts) ?? []
        hairpinPorts = try container.decodeIfPresent(Set<String>.self, forKey: .hairpinPorts) ?? []
        hasLoopback = try container.decodeIfPresent(Bool.self, forKey: .hasLoopback) ?? true
        rules = try container.decodeIfPresent(RuleTool.self, forKey: .rules)
        formerRules = try container.decodeIfPresent(RuleTool.self, forKey: .formerRules)
        staleFlows = try container.decodeIfPresent(Set<PortBinding>.self, forKey: .staleFlows) ?? []
        // The first layout knew iptables alone.
        if try container.decode(Int.self, forKey: .schema) == 1, !ownedMarks.isEmpty { rules = .iptables }
    }

    /// Leaves out what is as it is by default.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(schema, forKey: .schema)
        try container.encode(generation, forKey: .generation)
        try container.encode(services, forKey: .services)
        try container.encode(retiringMarks, forKey: .retiringMarks)
        try container.encode(originalSysctls, forKey: .originalSysctls)
        try container.encodeIfPresent(originalTCPTimeoutSeconds, forKey: .originalTCPTimeoutSeconds)
        if !reservedPorts.isEmpty { try container.encode(reservedPorts, forKey: .reservedPorts) }
        if !hairpinPorts.isEmpty { try container.encode(hairpinPorts.sorted(), forKey: .hairpinPorts) }
        if !hasLoopback { try container.encode(hasLoopback, forKey: .hasLoopback) }
        try container.encodeIfPresent(rules, forKey: .rules)
        try container.encodeIfPresent(formerRules, forKey: .formerRules)
        if !staleFlows.isEmpty { try container.encode(staleFlows.sorted(), forKey: .staleFlows) }
    }
}
