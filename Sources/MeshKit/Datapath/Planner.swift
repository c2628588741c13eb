package import IPVSKit
package import RuleKit

/// Finds the steps from what the kernel holds to what it should hold. Pure: no input or output, no clock.
package enum Planner {
    /// What a packet meets last is put up first and taken down last, so that no packet meets half a path.
    ///
    /// - Parameters:
    ///   - before: what was asked for so far, if it is not what is asked for now; its UDP ports that are none any more
    ///     leave flows behind.
    ///   - state: whose marks, tool and settings are ours; all else is left alone.
    package static func plan(
        from found: ObservedDatapath, to wanted: Datapath, before: MeshState? = nil, owning state: Ownership
    ) -> Plan {
        var found = found
        // Where nobody may look at it, it is as it was to be; but one that was not to be is none.
        if found.detour == .hidden, !(before?.makesDetour ?? (wanted.detour != nil)) { found.detour = .absent }
        let ours = found.table.filter { id in id.firewallMark.map(state.marks.contains) ?? false }
        let ipvs = Table.changes(from: ours, to: wanted.ipvs)
        let backend = state.tool.backend()
        let balancer = RulePlace(namespace: .balancer, tool: state.tool)
        let detour = RulePlace(namespace: .detour, tool: state.tool)
        let rendered = backend.render(wanted.rules)
        let rules = rendered.changes(from: found.rules)

        var steps: [Plan.Step] = []
        steps += sysctls(from: found, to: wanted, owning: state).map(Plan.Step.sysctl)
        steps += timeouts(from: found, to: wanted, ours: ours)
        steps += raisingDetour(from: found, to: wanted, backend, detour)
        steps += hairpins(from: found, to: wanted, owning: state)
        // Where the rules are up, clients come meanwhile; where they are not, nothing is balanced until they are.
        func comesFirst(_ change: RuleChange) -> Bool {
            found.rules.skeleton == .intact && rendered.isBefore(ipvs: found.table, change)
        }
        steps += rules.additions.filter(comesFirst).map { .rules($0, balancer) }
        steps += ipvs.filter { !$0.isRemoval }.map(Plan.Step.ipvs)
        steps += rules.additions.filter { !comesFirst($0) }.map { .rules($0, balancer) }
        steps += rules.removals.filter { !rendered.isBehind($0) }.map { .rules($0, balancer) }
        steps += ipvs.filter(\.isRemoval).map(Plan.Step.ipvs)
        steps += rules.removals.filter { rendered.isBehind($0) }.map { .rules($0, balancer) }
        if wanted.detour == nil, found.detour != .absent { steps.append(.dropDetour) }
        if let former = state.formerTool {
            for (place, left) in [
                (RulePlace.Namespace.balancer, found.formerRules), (.detour, found.formerDetourRules),
            ] {
                guard let left, left.skeleton != .absent else { continue }
                // What is left there goes with the namespace.
                if place == .detour, wanted.detour == nil || found.detour != .intact { continue }
                steps.append(.rules(.uninstall, RulePlace(namespace: place, tool: former)))
            }
        }
        steps += StaleFlows.all(
            of: wanted, before: before?.bindings(of: .udp) ?? [], rules: rules.additions, ipvs: ipvs,
            pending: state.staleFlows
        ).map(Plan.Step.flows)
        return Plan(steps: steps)
    }

    /// What in the kernel is ours, by the state.
    package struct Ownership: Sendable {
        /// The marks whose services are ours.
        package var marks: Set<FirewallMark>
        /// What carries the rules.
        package var tool: RuleTool
        /// What carried them before.
        package var formerTool: RuleTool?
        /// What of `ip_local_reserved_ports` is ours.
        package var reservedPorts: [ClosedRange<UInt16>]
        /// The ports of bridges that we made turn packets back.
        package var hairpinPorts: Set<String>
        /// The ports whose flows were to be forgotten, and may not have been.
        package var staleFlows: Set<PortBinding>

        /// What a state says is ours, with a tool that may be another than the one it used.
        package init(_ state: MeshState, tool: RuleTool) {
            marks = state.ownedMarks
            self.tool = tool
            formerTool = state.formerRules(besides: tool)
            reservedPorts = state.reservedPorts
            hairpinPorts = state.hairpinPorts
            staleFlows = state.staleFlows
        }
    }

    private static func sysctls(
        from found: ObservedDatapath, to wanted: Datapath, owning state: Ownership
    ) -> [SysctlChange] {
        var changes: [SysctlChange] = []
        // Before forwarding is on: from then on the kernel would ignore advertisements, and the default route
        // they brought would run out.
        if wanted.sysctls[.ipv6Forwarding] == "1", found.sysctls[.ipv6Forwarding] == "0" {
            changes += found.node.interfacesWithRouterAdvertisements.sorted().map {
                SysctlChange(sysctl: .acceptRouterAdvertisements($0), old: "1", new: "2")
            }
        }
        for (sysctl, value) in wanted.sysctls.sorted(by: { $0.key < $1.key }) where found.sysctls[sysctl] != value {
            changes.append(SysctlChange(sysctl: sysctl, old: found.sysctls[sysctl], new: value))
        }
        if let current = found.sysctls[.reservedPorts] {
            let reserved = PortReservation(
                current: current, former: state.reservedPorts, wanted: wanted.reservedPorts)
            if reserved.value != current {
                changes.append(SysctlChange(sysctl: .reservedPorts, old: current, new: reserved.value))
            }
        }
        return changes
    }

    /// Where somebody else balances, too, a longer timeout than ours stays.
    private static func timeouts(from found: ObservedDatapath, to wanted: Datapath, ours: Table) -> [Plan.Step] {
        guard let seconds = wanted.tcpTimeoutSeconds, let current = found.timeouts.tcpSeconds, current != seconds,
            current < seconds || found.table.entries.count == ours.entries.count
        else { return [] }
        return [.tcpTimeout(old: current, new: seconds)]
    }

    private static func raisingDetour(
        from found: ObservedDatapath, to wanted: Datapath, _ backend: any RuleBackend, _ place: RulePlace
    ) -> [Plan.Step] {
        guard let rules = wanted.detour else { return [] }
        var steps: [Plan.Step] = []
        switch found.detour {
        case .intact: break
        case .hidden: return []
        case .absent: steps.append(.raiseDetour(faults: []))
        case .damaged(let faults): steps.append(.raiseDetour(faults: faults))
        }
        // What is put right is made anew, and has no rules.
        let there = found.detour == .intact ? found.detourRules : ObservedRules()
        return steps + backend.render(rules).changes(from: there).additions.map { .rules($0, place) }
    }

    private static func hairpins(
        from found: ObservedDatapath, to wanted: Datapath, owning state: Ownership
    ) -> [Plan.Step] {
        let on = Set(found.node.bridgePorts.values.joined().filter(\.value).map(\.key))
        let raised = wanted.hairpinPorts.subtracting(on).sorted()
        let lowered = state.hairpinPorts.subtracting(wanted.hairpinPorts).intersection(on).sorted()
        return raised.map { .hairpin(port: $0, true) } + lowered.map { .hairpin(port: $0, false) }
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
