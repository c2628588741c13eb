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
    /// Puts an address on a list.
    case add(IPAddress, AddressList)
    /// Takes an address from a list. Known connections go on as they are.
    case remove(IPAddress, AddressList)
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
        for list in AddressList.allCases {
            let (old, new) = (found.rules.addresses[list] ?? [], wanted.addresses[list] ?? [])
            additions += new.subtracting(old).sorted().map { .add($0, list) }
            removals += old.subtracting(new).sorted().map { .remove($0, list) }
        }
        for (port, mark) in wanted.marks.sorted(by: { $0.key < $1.key }) where found.rules.marks[port] != mark {
            additions.append(.mark(port, mark))
        }
        switch found.skeleton {
        case .intact: break
        case .absent: additions.append(.install([]))
        case .damaged(let faults): additions.append(.install(faults))
        }
        let unmarked = found.rules.marks.keys.sorted().filter { wanted.marks[$0] == nil }
        return (additions, unmarked.map { .unmark($0) } + removals)
    }
}
