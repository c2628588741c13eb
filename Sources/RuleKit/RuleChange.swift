public import IPVSKit

/// One change to the rules of a namespace.
public enum RuleChange: Hashable, Sendable {
    /// Puts the constant part up or right, in one transaction for each table. The faults say why.
    case install([RuleFault])
    /// Takes all of ours away, in one transaction for each table.
    case uninstall
    /// Marks connections to a port; changes the mark where there is one.
    case mark(TransportPort, FirewallMark)
    /// Marks connections to a port no longer.
    case unmark(TransportPort)
    /// Rewrites the source of balanced packets to an address.
    case addSourceNAT(IPAddress)
    /// Keeps the source of balanced packets to an address. Known connections go on as they are.
    case removeSourceNAT(IPAddress)
}

extension RuleSet {
    /// The changes that turn what was found into what is wanted: `additions` before IPVS is changed for the worse,
    /// `removals` in the order in which a packet meets them. Pure.
    public static func changes(
        from found: ObservedRules, to wanted: RuleSet
    ) -> (additions: [RuleChange], removals: [RuleChange]) {
        if wanted.isEmpty {
            return (additions: [], removals: found.skeleton == .absent ? [] : [.uninstall])
        }
        var additions: [RuleChange] = []
        var removals: [RuleChange] = []
        for address in wanted.sourceNAT.subtracting(found.rules.sourceNAT).sorted() {
            additions.append(.addSourceNAT(address))
        }
        for (port, mark) in wanted.marks.sorted(by: { $0.key < $1.key }) where found.rules.marks[port] != mark {
            additions.append(.mark(port, mark))
        }
        switch found.skeleton {
        case .intact: break
        case .absent: additions.append(.install([]))
        case .damaged(let faults): additions.append(.install(faults))
        }
        for port in found.rules.marks.keys.sorted() where wanted.marks[port] == nil {
            removals.append(.unmark(port))
        }
        for address in found.rules.sourceNAT.subtracting(wanted.sourceNAT).sorted() {
            removals.append(.removeSourceNAT(address))
        }
        return (additions, removals)
    }
}
