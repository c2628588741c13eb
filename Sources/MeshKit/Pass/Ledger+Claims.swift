import IPVSKit
import RuleKit

extension Ledger {
    /// The ledger with everything that the plan may touch, original values included.
    ///
    /// - Parameter marks: the marks of the served ports, with their ports.
    func claiming(
        _ plan: Plan, for datapath: Datapath, in found: ObservedDatapath, by tool: RuleTool,
        marks: [FirewallMark: PortBinding]
    ) -> Ledger {
        var ledger = self
        for step in plan.steps { ledger[step.place].claim(step, in: found[step.place]) }
        for place in datapath.contents.keys {
            let content = datapath[place]
            var holdings = ledger[place]
            if !content.rules.isEmpty {
                holdings.formerRules = holdings.formerRules(besides: tool)
                holdings.rules = tool
            } else if holdings.rules != nil {
                holdings.formerRules = holdings.formerRules(besides: tool)
            }
            let reserved = content.reservation(in: found[place], formerly: holdings.reservedPorts)
            holdings.reservedPorts += reserved.filter { !holdings.reservedPorts.contains($0) }
            ledger[place] = holdings
        }
        var holdings = ledger[.node]
        let destinations = datapath[.node].ipvs.destinationsByMark(besides: holdings.retiring)
        for (mark, binding) in marks {
            var owned = holdings.marks[mark] ?? OwnedMark(binding: binding, destinations: [])
            owned.binding = binding
            owned.destinations.formUnion(destinations[mark] ?? [])
            holdings.marks[mark] = owned
        }
        ledger[.node] = holdings
        return ledger
    }

    /// The ledger once the plan has been carried out: without everything that the node no longer owns.
    func settled(
        _ plan: Plan, for datapath: Datapath, in found: ObservedDatapath, marks: [FirewallMark: PortBinding],
        givingBack former: [PlaceID: FormerSettings], purpose: Pass.Purpose
    ) -> Ledger {
        var ledger = self
        let destinations = datapath[.node].ipvs.destinationsByMark(besides: ledger[.node].retiring)
        for (place, old) in places {
            // Nothing is known of a place that could not be read, so its entry stays.
            if found[place].existence.reason != nil { continue }
            var holdings = old
            let content = datapath[place]
            if place == .node {
                holdings.marks = Dictionary(
                    uniqueKeysWithValues: marks.map {
                        ($0, OwnedMark(binding: $1, destinations: destinations[$0] ?? []))
                    })
            }
            holdings.hairpinPorts.formIntersection(content.hairpinPorts)
            holdings.staleFlows = []
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
    var refusalNotes: [String] {
        places.sorted { $0.key < $1.key }.compactMap { place, holdings in
            holdings.refusal.map { reason in
                let lost =
                    place == .loopback ? "127.0.0.1 is not answered on this host" : "this host does without \(place)"
                return "\(lost): \(reason); once the cause is gone, `meshctl reconcile --retry` tries it again"
            }
        }
    }

    /// Forgets which places this host refused, so that the next pass tries them again.
    mutating func forgetRefusals() {
        for place in places.keys { self[place].refusal = nil }
    }

    /// When the next pass is due although nothing else changes. Nil unless connections of retiring paths are awaited.
    func wake(now: BootTime, _ found: ObservedDatapath) -> BootTime? {
        let retiring = self[.node].retiring
        guard !retiring.isEmpty else { return nil }
        // A path that has just begun to retire may have no connections at all.
        let isNew = retiring.contains { $0.since == now }
        return isNew ? now : now.advanced(bySeconds: 1)
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
        // The settings of an optional place belong to its own interfaces or namespace, and disappear with them.
        case .sysctl(let change) where step.phase == .settings && step.purpose == nil: claim(change, in: found)
        case .tcpTimeout(let old, _) where step.phase == .timeouts:
            originalTCPTimeoutSeconds = originalTCPTimeoutSeconds ?? old
        case .hairpin(let port, true): hairpinPorts.insert(port)
        case .flows(let flows): staleFlows.insert(flows.binding)
        case .namespace, .link, .sysctl, .tcpTimeout, .hairpin, .ipvs, .rules: break
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

    /// The published ports of one transport protocol.
    func bindings(of transport: TransportProtocol) -> [PortBinding] {
        marks.values.compactMap(\.binding).filter { $0.transport == transport }
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
