import IPVSKit
import RuleKit

/// Finds the steps from what the kernel holds to what it should hold. Pure: no input or output, no clock.
///
/// It goes through the places one by one and knows nothing of what each is for. In which order the steps are taken is
/// the business of ``Phase``.
package struct Planner {
    let found: ObservedDatapath
    let wanted: Datapath
    let outline: Outline
    let ledger: Ledger
    /// What carries the rules.
    let tool: RuleTool
    var notes: [String] = []

    /// - Parameters:
    ///   - outline: what was looked at; what is not wanted of it is taken down where it is ours.
    ///   - ledger: what is ours; all else is left alone.
    ///   - tool: what is to carry the rules.
    ///   - former: settings that are to have the values that they had before us.
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

    /// What a place holds once its namespace is as it should be: nothing, where that has to be made.
    private func content(of place: Place) -> ObservedPlace {
        isRemade(place.id) ? ObservedPlace() : found[place.id]
    }

    /// Whether a place's namespace is the mesh's own.
    func isOwn(_ id: PlaceID) -> Bool {
        if case .own = outline.places[id]?.existence { true } else { false }
    }

    /// Whether a place's namespace is made by this plan.
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
                // A name that stands for no namespace may be anybody's, and of a refused place it is what was in the way.
                let holdings = ledger[place.id]
                let isOurs = existence.value == .namespace || (holdings.namespace != nil && holdings.refusal == nil)
                return isThere && isOurs ? [step(place.id, .leavingNamespaces, .namespace(.remove(name: name)))] : []
            }
            if isRemade(place.id) {
                if isThere { steps.append(step(place.id, .clearing, .namespace(.remove(name: name)))) }
                steps.append(step(place.id, .namespaces, .namespace(.make(name: name))))
            }
        } else if existence.isAbsent {
            // A lent namespace has gone, and all that was put into it with it.
            return []
        }
        let there = content(of: place)
        steps += settings(of: place.id, from: there)
        steps += timeouts(of: place.id, from: there)
        steps += hairpins(of: place.id)
        steps += services(of: place.id, from: there)
        return steps
    }
}
