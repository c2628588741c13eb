/// One change to the rules of a namespace.
public enum RuleChange: Hashable, Sendable {
    /// Installs or repairs the constant rules, in one transaction for each table. The faults are the reasons.
    case install(RuleRole, [RuleFault])
    /// Writes down whose the rules are, where a later reader finds it.
    case claim(RuleOwner)
    /// Removes everything of ours, in one transaction for each table.
    case uninstall
    /// Adds an element to its set, replacing the elements whose keys it overlaps.
    case put(SetElement, replacing: [SetElement])
    /// Removes an element from its set. Existing connections continue.
    case remove(SetElement)
}

extension RenderedRules {
    /// The changes that turn the observed rules into these. `additions` are made before destinations and services are
    /// removed from IPVS; `removals` are in the order in which a packet meets the sets. A pure function.
    public func changes(from found: ObservedRules) -> (additions: [RuleChange], removals: [RuleChange]) {
        guard let role else {
            return (additions: [], removals: found.skeleton == .absent ? [] : [.uninstall])
        }
        let difference = ElementDifference(
            from: found.elements, to: elements, setsWithSinglePorts: setsWithSinglePorts, disjoint: disjoint)
        let place = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })

        var additions = difference.additions
            .sorted { ((place[$0.element.set] ?? -1), $0.element) < ((place[$1.element.set] ?? -1), $1.element) }
            .map { RuleChange.put($0.element, replacing: $0.replaced) }
        switch found.skeleton {
        case .intact: break
        case .absent: additions.append(.install(role, []))
        case .damaged(let faults): additions.append(.install(role, faults))
        }
        // Where the constant rules are installed anew, what they said before may be gone.
        if let owner, found.owner != owner || found.skeleton != .intact { additions.append(.claim(owner)) }
        // Elements of a set that is not ours are removed first.
        let removals = difference.removals.sorted {
            let (left, right) = (place[$0.set] ?? .max, place[$1.set] ?? .max)
            return left == right ? $0 < $1 : left > right
        }
        return (additions, removals.map { .remove($0) })
    }
}
