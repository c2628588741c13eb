import IPVSKit
import RuleKit

extension Planner {
    /// The IPVS table and the rules of a place, which lead to each other, and the flows that both leave behind.
    func services(of place: PlaceID, from there: ObservedPlace) -> [Plan.Step] {
        let (content, holdings) = (wanted[place], ledger[place])
        // Whatever is in a namespace of ours is ours.
        let ours = isOwn(place) ? there.table : there.table.filter { !$0.isForeign(to: holdings.marks) }
        let ipvs = outline.balancers.contains(place) ? Table.changes(from: ours, to: content.ipvs) : []
        guard outline.roles[place] != nil else {
            return ipvs.map { step(place, $0.isRemoval ? .withdrawingServices : .services, .ipvs($0)) }
        }
        let rendered = tool.render(content.rules, families: found.node.families)
        var observed = there.rules
        // The role that the rules were read for is older than what this pass found out: a place that is refused, or tried
        // again.
        if observed.skeleton == .intact, let role = rendered.role, let expected = there.role, role != expected {
            observed.skeleton = .damaged([RuleFault("\(tool): the rules are those of another arrangement")])
        }
        let rules = rendered.changes(from: observed)
        // Where the rules are up, clients come meanwhile; where they are not, nothing is balanced until they are.
        func comesFirst(_ change: RuleChange) -> Bool {
            observed.skeleton == .intact && rendered.isBefore(ipvs: there.table, change)
        }
        var steps = rules.additions.map {
            step(place, comesFirst($0) ? .rulesBehind : .rules, .rules($0, tool))
        }
        steps += ipvs.map { step(place, $0.isRemoval ? .withdrawingServices : .services, .ipvs($0)) }
        steps += rules.removals.map {
            step(place, rendered.isBehind($0) ? .withdrawingRulesBehind : .withdrawingRules, .rules($0, tool))
        }
        if let former = holdings.formerRules(besides: tool), let left = there.formerRules, left.skeleton != .absent {
            steps.append(step(place, .formerRules, .rules(.uninstall, former)))
        }
        steps += StaleFlows.all(
            of: content, before: holdings.bindings(of: .udp), rules: rules.additions, ipvs: ipvs,
            pending: holdings.staleFlows
        ).map { step(place, .flows, .flows($0)) }
        return steps
    }

    /// Where somebody else balances, too, a longer timeout than ours stays.
    func timeouts(of place: PlaceID, from there: ObservedPlace) -> [Plan.Step] {
        let marks = ledger[place].marks
        guard let seconds = wanted[place].tcpTimeoutSeconds else { return [] }
        // What a namespace has that is yet to be made, nobody knows.
        guard let current = there.timeouts.tcpSeconds else {
            return isRemade(place) ? [step(place, .timeouts, .tcpTimeout(old: nil, new: seconds))] : []
        }
        guard current != seconds,
            current < seconds || isOwn(place) || !there.table.entries.keys.contains(where: { $0.isForeign(to: marks) })
        else { return [] }
        return [step(place, .timeouts, .tcpTimeout(old: current, new: seconds))]
    }
}

extension VirtualService.ID {
    fileprivate func isForeign(to marks: [FirewallMark: OwnedMark]) -> Bool {
        firewallMark.map { marks[$0] == nil } ?? true
    }
}

extension Change {
    fileprivate var isRemoval: Bool {
        switch self {
        case .deleteService, .deleteDestination: true
        case .createService, .updateService, .createDestination, .updateDestination: false
        }
    }
}

extension RenderedRules {
    /// Whether what is put must be there before the IPVS table changes: a connection goes the way that it finds when it
    /// begins.
    ///
    /// That is what is masqueraded, for a destination that is new. And the translation of a port that has a service: once
    /// that is persistent, it looks at no destination's port. Until it is, it does not care. But not for a mark that has
    /// none yet: the node would answer at the port it is translated to.
    fileprivate func isBefore(ipvs table: Table, _ change: RuleChange) -> Bool {
        guard case .put(let element, _) = change else { return false }
        if let family = translating[element.set], let mark = element.mark {
            return table.entries[.firewallMark(mark, family)] != nil
        }
        return behind.contains(element.set)
    }

    /// Whether a packet meets what is taken away only behind IPVS, so that it must be there as long as IPVS sends any.
    fileprivate func isBehind(_ change: RuleChange) -> Bool {
        if case .remove(let element) = change { behind.contains(element.set) } else { false }
    }
}
