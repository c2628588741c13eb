/// One change to the rules of a namespace.
public enum RuleChange: Hashable, Sendable {
    /// Puts the constant part up or right, in one transaction for each table. The faults say why.
    case install(RuleRole, [RuleFault])
    /// Takes all of ours away, in one transaction for each table.
    case uninstall
    /// Puts an element into its set, in place of those whose keys it overlaps.
    case put(SetElement, replacing: [SetElement])
    /// Takes an element from its set. Known connections go on as they are.
    case remove(SetElement)
}

extension RenderedRules {
    /// The changes that turn what was found into this: `additions` before IPVS is changed for the worse, `removals` in
    /// the order in which a packet meets them. Pure.
    public func changes(from found: ObservedRules) -> (additions: [RuleChange], removals: [RuleChange]) {
        guard let role else {
            return (additions: [], removals: found.skeleton == .absent ? [] : [.uninstall])
        }
        let difference = ElementDifference(from: found.elements, to: elements, expanded: expanded, disjoint: disjoint)
        let place = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })

        var additions = difference.additions
            .sorted { ((place[$0.element.set] ?? -1), $0.element) < ((place[$1.element.set] ?? -1), $1.element) }
            .map { RuleChange.put($0.element, replacing: $0.replaced) }
        switch found.skeleton {
        case .intact: break
        case .absent: additions.append(.install(role, []))
        case .damaged(let faults): additions.append(.install(role, faults))
        }
        // A set that we do not know goes first: it is in nobody's way.
        let removals = difference.removals.sorted {
            let (left, right) = (place[$0.set] ?? .max, place[$1.set] ?? .max)
            return left == right ? $0 < $1 : left > right
        }
        return (additions, removals.map { .remove($0) })
    }
}
