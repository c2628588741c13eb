import IPVSKit
import RuleKit

extension Ledger {
    /// The ledger with everything that the plan may touch, original values included.
    ///
    /// - Parameter marks: the marks of the ports that each place balances, with their ports.
    func claiming(
        _ plan: Plan, for datapath: Datapath, in found: ObservedDatapath, by tool: RuleTool,
        marks: [PlaceID: [FirewallMark: PortBinding]]
    ) -> Ledger {
        var ledger = self
        for step in plan.steps where !datapath.isTransient(step) {
            ledger[step.place].claim(step, in: found[step.place])
        }
        for place in datapath.contents.keys {
            let content = datapath[place]
            var holdings = ledger[place]
            if !content.rules.isEmpty || holdings.rules != nil {
                holdings.formerRules = holdings.formerRules(besides: tool)
            }
            if !content.rules.isEmpty { holdings.rules = tool }
            if content.passage != nil { holdings.hasPassage = true }
            let reserved = content.reservation(in: found[place], formerly: holdings.reservedPorts)
            holdings.reservedPorts += reserved.filter { !holdings.reservedPorts.contains($0) }
            ledger[place] = holdings
        }
        for (place, marks) in marks where datapath.places[place] != nil {
            var holdings = ledger[place]
            for (mark, owned) in holdings.owned(marks, by: datapath[place]) {
                holdings.marks[mark, default: owned].binding = owned.binding
                holdings.marks[mark]!.destinations.formUnion(owned.destinations)
            }
            ledger[place] = holdings
        }
        return ledger
    }

    /// Whether all that a step does is to change a destination that the ledger has already, or to delete flows. Such a step
    /// puts nothing into the kernel of which the next pass would not know by this ledger whose it is.
    func covers(_ step: Plan.Step) -> Bool {
        let changed: (id: Destination.ID, service: VirtualService.ID)
        switch step.change {
        case .ipvs(.createDestination(let destination, let service)),
            .ipvs(.updateDestination(let destination, let service)):
            changed = (destination.id, service)
        case .ipvs(.deleteDestination(let id, let service)): changed = (id, service)
        case .flows: return true
        case .namespace, .link, .routing, .sysctl, .tcpTimeout, .hairpin, .ipvs, .rules: return false
        }
        let holdings = self[step.place]
        // In a namespace that the mesh has made, every service is the mesh's.
        if holdings.namespace != nil { return true }
        guard let mark = changed.service.firewallMark, let owned = holdings.marks[mark] else { return false }
        return owned.destinations.contains(changed.id)
            || holdings.retiring.contains { $0.mark == mark && $0.destinations.contains(changed.id) }
    }

    /// The ledger once its plan has been carried out: without everything that the node no longer owns.
    func settled(
        for datapath: Datapath, in found: ObservedDatapath, marks: [PlaceID: [FirewallMark: PortBinding]],
        givingBack former: [PlaceID: FormerSettings], purpose: Pass.Purpose
    ) -> Ledger {
        var ledger = self
        for (place, old) in places {
            // Nothing is known of a place that could not be read, so its entry stays.
            if found[place].existence.reason != nil { continue }
            var holdings = old
            let content = datapath[place]
            if let marks = marks[place] { holdings.marks = holdings.owned(marks, by: content) }
            holdings.hairpinPorts.formIntersection(content.hairpinPorts)
            holdings.staleFlows = []
            holdings.hasPassage = content.passage != nil
            holdings.formerRules = nil
            holdings.reservedPorts = content.reservation(in: found[place], formerly: old.reservedPorts)
            for sysctl in former[place].map({ Array($0.settings.keys) }) ?? [] { holdings.settings[sysctl] = nil }
            if former[place]?.tcpTimeoutSeconds != nil { holdings.originalTCPTimeoutSeconds = nil }
            if datapath.places[place] == nil { holdings = Holdings(refusing: holdings.refusal) }
            if purpose == .reset { holdings = Holdings() }
            ledger[place] = holdings
        }
        for place in ledger.places.keys {
            let links = datapath.links.flatMap(\.ends).map(\.id).filter { $0.place == place }.map(\.name)
            ledger[place].links.formIntersection(links)
        }
        return ledger
    }

    /// The ledger with a note that this host refused a place, and why.
    func refusing(_ place: PlaceID, because reason: String) -> Ledger {
        var ledger = self
        ledger[place].refusal = reason
        return ledger
    }

    /// A note for each place that this host refused, with the reason.
    package var refusalNotes: [String] {
        places.sorted { $0.key < $1.key }.compactMap { place, holdings in
            holdings.refusal.map { reason in
                "\(place.loss): \(reason); once the cause is gone, `meshctl reconcile --retry` tries it again"
            }
        }
    }

    /// The refused places that ports or tasks need: all but the way from 127.0.0.1.
    package var missing: Set<PlaceID> {
        Set(places.filter { $0.value.refusal != nil && $0.key != .loopback }.keys)
    }

    /// Forgets which places this host refused, so that the next pass tries them again.
    mutating func forgetRefusals() {
        for place in places.keys { self[place].refusal = nil }
    }

    /// When the next pass is due although nothing else changes. Nil unless connections of retiring paths are awaited, or
    /// tasks start slowly.
    func wake(now: BootTime, for starters: [SlowStarter]) -> Wake? {
        let step = starters.map(\.stepEnd).min().map { Wake($0, for: .slowStart) }
        let retiring = places.values.flatMap(\.retiring)
        guard !retiring.isEmpty else { return step }
        // A path that has just begun to retire may have no connections at all.
        let isNew = retiring.contains { $0.since == now }
        return .first(Wake(isNew ? now : now.advanced(bySeconds: 1), for: .retiring), step)
    }
}

extension Holdings {
    /// Holdings that record only why the place was refused.
    fileprivate init(refusing refusal: String?) {
        self.init()
        self.refusal = refusal
    }

    fileprivate mutating func claim(_ step: Plan.Step, in found: ObservedPlace) {
        switch step.change {
        case .namespace(.make(let name)): namespace = name
        case .link(.make(let link, _)): links.formUnion(link.ends.filter { $0.id.place == step.place }.map(\.id.name))
        case .sysctl(let change) where step.phase == .settings: claim(change, in: found)
        case .tcpTimeout(let old, _) where step.phase == .timeouts:
            originalTCPTimeoutSeconds = originalTCPTimeoutSeconds ?? old
        case .hairpin(let port, true): hairpinPorts.insert(port)
        case .flows(let flows): staleFlows.insert(flows.binding)
        case .namespace, .link, .routing, .sysctl, .tcpTimeout, .hairpin, .ipvs, .rules: break
        }
    }

    private mutating func claim(_ change: SysctlChange, in found: ObservedPlace) {
        // Other programs write the reserved ports, too. ``reservedPorts`` records which of them are ours.
        guard change.sysctl != .reservedPorts, let old = change.old else { return }
        let current = found.sysctls.compactMapValues(\.value)
        var written = change.sysctl.consequences(of: change.new, in: current)
        // When the switch is given back, the kernel overwrites the setting of every interface. Recording the interfaces
        // that have the value already distinguishes them from interfaces that come later.
        for sysctl in change.sysctl.switches(in: current) { written[sysctl] = change.new }
        written[change.sysctl] = change.new
        for (sysctl, value) in written {
            guard let before = sysctl == change.sysctl ? old : current[sysctl] else { continue }
            settings[sysctl] = OriginalSetting(found: settings[sysctl]?.found ?? before, written: value)
        }
    }

    /// The tool other than the given one that carries rules of ours, or did until its rules are gone.
    func formerRules(besides tool: RuleTool) -> RuleTool? {
        [rules, formerRules].compactMap(\.self).first { $0 != tool }
    }

    /// The marks of this place, with their ports and the destinations of new connections. The marks of retiring paths
    /// are among them.
    fileprivate func owned(
        _ served: [FirewallMark: PortBinding], by content: PlaceContent
    ) -> [FirewallMark: OwnedMark] {
        let destinations = content.ipvs.destinationsByMark(besides: retiring)
        var owned = Dictionary(retiring.map { ($0.mark, OwnedMark(binding: $0.binding)) }) { first, _ in first }
        for (mark, binding) in served {
            owned[mark] = OwnedMark(binding: binding, destinations: destinations[mark] ?? [])
        }
        return owned
    }
}

extension Datapath {
    /// Whether a step writes a setting of a namespace or an interface of the mesh's own. Such a setting disappears with
    /// them, so that its former value need not be kept.
    fileprivate func isTransient(_ step: Plan.Step) -> Bool {
        guard case .sysctl(let change) = step.change else { return false }
        if case .own = places[step.place]?.existence { return true }
        guard let interface = change.sysctl.interface else { return false }
        return links.contains { $0.ends.contains { $0.id == LinkEnd.ID(place: step.place, name: interface) } }
    }
}

extension PlaceContent {
    /// The reserved ports that are ours once the plan has been carried out.
    fileprivate func reservation(
        in found: ObservedPlace, formerly former: [ClosedRange<UInt16>]
    ) -> [ClosedRange<UInt16>] {
        guard case .known(let current) = found.sysctls[.reservedPorts] else { return former }
        return PortReservation(current: current, former: former, wanted: reservedPorts).ours
    }
}

extension Table {
    /// The destinations of the services by mark, of both families, without those of retiring paths.
    fileprivate func destinationsByMark(besides retiring: [RetiringPath]) -> [FirewallMark: Set<Destination.ID>] {
        var found: [FirewallMark: Set<Destination.ID>] = [:]
        for (id, entry) in entries {
            guard let mark = id.firewallMark else { continue }
            found[mark, default: []].formUnion(entry.destinations.keys)
        }
        for path in retiring { found[path.mark]?.subtract(path.destinations) }
        return found
    }
}
