import IPVSKit
import RuleKit

extension Planner {
    /// The steps for the IPVS table and the rules of a place, and for the UDP flows that these changes make stale.
    func services(of place: PlaceID, from there: ObservedPlace) -> [Plan.Step] {
        let (content, holdings) = (wanted[place], ledger[place])
        // In a namespace that the mesh has made, every service is the mesh's.
        let ours = isOwn(place) ? there.table : there.table.filter { !$0.isForeign(to: holdings.marks) }
        let ipvs = outline.balancers.contains(place) ? Table.changes(from: ours, to: content.ipvs) : []
        guard outline.roles[place] != nil else {
            return ipvs.map { step(place, $0.isWithdrawal ? .withdrawingServices : .services, .ipvs($0)) }
        }
        let rendered = tool.render(content.rules, families: found.node.families)
        var observed = there.rules
        // The rules were observed for the role of the ledger at that time. This pass may have found that an optional
        // place is refused, or may try it again, which changes the role.
        if observed.skeleton == .intact, let role = rendered.role, let expected = there.role, role != expected {
            observed.skeleton = .damaged([RuleFault("\(tool): the rules are those of another arrangement")])
        }
        let rules = rendered.changes(from: observed)
        // While the rules stand, clients connect during the change, so the order matters. Without rules, nothing is
        // balanced until they are installed.
        func comesFirst(_ change: RuleChange) -> Bool {
            observed.skeleton == .intact && rendered.isBefore(ipvs: there.table, change)
        }
        var steps = rules.additions.map {
            step(place, phase(of: $0, comesFirst: comesFirst($0)), .rules($0, tool))
        }
        steps += ipvs.map { step(place, $0.isWithdrawal ? .withdrawingServices : .services, .ipvs($0)) }
        steps += rules.removals.map {
            step(place, rendered.isBehind($0) ? .withdrawingRulesBehind : .withdrawingRules, .rules($0, tool))
        }
        if let former = holdings.formerRules(besides: tool), let left = there.formerRules, left.skeleton != .absent {
            steps.append(step(place, .formerRules, .rules(.uninstall, former)))
        }
        steps += passage(of: place, from: there)
        steps += StaleFlows.all(
            of: content, before: holdings.marks, rules: rules.additions, ipvs: ipvs,
            retiring: Set(ledger.places.values.lazy.flatMap(\.retiring).map(\.mark)), pending: holdings.staleFlows
        ).map { step(place, .flows, .flows($0)) }
        return steps
    }

    /// The steps for the rules by which iptables lets the path to the sandbox pass. If iptables carries all rules, these
    /// are among them.
    private func passage(of place: PlaceID, from there: ObservedPlace) -> [Plan.Step] {
        guard tool != .iptables, let found = there.passage else { return [] }
        let rules = wanted[place].passage.map { RuleSet(role: .passage($0)) } ?? RuleSet()
        let rendered = RuleTool.iptables.render(rules, families: self.found.node.families)
        guard ledger[place].formerRules(besides: tool) != .iptables else {
            // iptables has just removed everything of ours, these rules included.
            return rendered.role.map { [step(place, .formerRules, .rules(.install($0, []), .iptables))] } ?? []
        }
        let changes = rendered.changes(from: found)
        return changes.additions.map { step(place, .rulesBehind, .rules($0, .iptables)) }
            + changes.removals.map { step(place, .withdrawingRulesBehind, .rules($0, .iptables)) }
    }

    private func phase(of change: RuleChange, comesFirst: Bool) -> Phase {
        if case .claim = change { return .claiming }
        return comesFirst ? .rulesBehind : .rules
    }

    /// The step that sets the TCP timeout. If another program has IPVS services, a timeout longer than ours stays.
    func timeouts(of place: PlaceID, from there: ObservedPlace) -> [Plan.Step] {
        let marks = ledger[place].marks
        guard let seconds = wanted[place].tcpTimeoutSeconds else { return [] }
        // The timeout of a namespace that does not exist yet is unknown.
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
    /// Whether the change keeps clients out: new connections must have another way by then.
    fileprivate var isWithdrawal: Bool {
        switch self {
        case .deleteService, .deleteDestination: true
        case .updateDestination(let destination, _): destination.weight == 0
        case .createService, .updateService, .createDestination: false
        }
    }
}

extension RenderedRules {
    /// Whether a new element must exist before the IPVS table changes, since a connection keeps the way that it finds
    /// when it begins.
    ///
    /// This holds for elements that masquerade packets to a new destination. It also holds for the translation of the
    /// port of an existing service: as soon as the service is persistent, it ignores the ports of its destinations, and
    /// until then the translation does no harm. It does not hold for a mark without a service, because a program on the
    /// node would answer at the translated port.
    fileprivate func isBefore(ipvs table: Table, _ change: RuleChange) -> Bool {
        guard case .put(let element, _) = change else { return false }
        if let family = translating[element.set], let mark = element.mark {
            return table.entries[.firewallMark(mark, family)] != nil
        }
        return setsBehindIPVS.contains(element.set)
    }

    /// Whether a packet meets the removed element only after IPVS. Such an element must stay as long as IPVS sends
    /// packets that need it.
    fileprivate func isBehind(_ change: RuleChange) -> Bool {
        if case .remove(let element) = change { setsBehindIPVS.contains(element.set) } else { false }
    }
}
