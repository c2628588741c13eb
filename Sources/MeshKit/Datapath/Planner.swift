import IPVSKit
import RuleKit

/// Finds the steps from the observed datapath to the wanted one. Pure: no input or output, no clock.
///
/// The planner handles one place after the other and knows nothing of their purposes. ``Phase`` decides in which order
/// the steps are taken.
package struct Planner {
    let found: ObservedDatapath
    let wanted: Datapath
    let outline: Outline
    let ledger: Ledger
    /// The tool that writes the rules.
    let tool: RuleTool
    var notes: [String] = []

    /// - Parameters:
    ///   - outline: the places and links that may exist. Those that are ours and not wanted are taken down.
    ///   - ledger: what this node owns. Everything else is left alone.
    ///   - tool: the tool that writes the rules.
    ///   - former: the settings whose original values are restored, by place.
    package static func plan(
        from found: ObservedDatapath, to wanted: Datapath, outline: Outline, ledger: Ledger, tool: RuleTool,
        restoring former: [PlaceID: FormerSettings] = [:]
    ) -> Plan {
        var planner = Planner(found: found, wanted: wanted, outline: outline, ledger: ledger, tool: tool)
        var steps: [Plan.Step] = []
        for place in outline.places.values.sorted(by: { ($0.rank, $0.id) < ($1.rank, $1.id) }) {
            steps += planner.steps(for: place)
        }
        for link in outline.links { steps += planner.steps(for: link) }
        for (place, former) in former.sorted(by: { $0.key < $1.key }) {
            let (changes, kept) = former.changes(from: found[place])
            steps += changes.map { planner.step(place, .restoring, $0) }
            planner.notes += kept
        }
        return Plan(steps, ranks: outline.places.mapValues(\.rank), notes: planner.notes)
    }

    func step(_ place: PlaceID, _ phase: Phase, _ change: Plan.Change, for purpose: PlaceID? = nil) -> Plan.Step {
        let optional = (purpose ?? place)
        return Plan.Step(
            place: place, phase: phase, change: change,
            purpose: outline.places[optional]?.isOptional == true ? optional : nil)
    }

    /// What the place holds when its namespace is as it should be: nothing, if the namespace has to be made.
    private func content(of place: Place) -> ObservedPlace {
        isRemade(place.id) ? ObservedPlace() : found[place.id]
    }

    /// Whether the mesh makes and deletes the namespace of a place.
    func isOwn(_ id: PlaceID) -> Bool {
        if case .own = outline.places[id]?.existence { true } else { false }
    }

    /// Whether this plan makes the namespace of a place.
    func isRemade(_ id: PlaceID) -> Bool {
        guard let place = wanted.places[id], case .own = place.existence else { return false }
        return found[id].existence.value != .namespace
    }

    private mutating func steps(for place: Place) -> [Plan.Step] {
        let existence = found[place.id].existence
        if case .unreadable(let reason) = existence {
            notes.append("not looked at: \(place.id): \(reason)")
            return []
        }
        var steps: [Plan.Step] = []
        if case .own(let name) = place.existence {
            let isThere = !existence.isAbsent
            guard wanted.places[place.id] != nil else {
                // A name that refers to no namespace may be anybody's. If the place was refused, such a name is what
                // stood in its way.
                let holdings = ledger[place.id]
                let isOurs =
                    existence.value == .namespace
                    ? place.conflict(in: found, ledger) == nil
                    : holdings.namespace != nil && holdings.refusal == nil
                return isThere && isOurs ? [step(place.id, .leavingNamespaces, .namespace(.remove(name: name)))] : []
            }
            if isRemade(place.id) {
                if isThere { steps.append(step(place.id, .clearing, .namespace(.remove(name: name)))) }
                steps.append(step(place.id, .namespaces, .namespace(.make(name: name))))
            }
        } else if existence.isAbsent {
            // The lent namespace no longer exists, and neither does anything that was put into it.
            return []
        }
        let there = content(of: place)
        steps += settings(of: place.id, from: there)
        steps += timeouts(of: place.id, from: there)
        steps += routing(of: place.id, from: there)
        steps += hairpins(of: place.id)
        steps += services(of: place.id, from: there)
        return steps
    }
}
