import IPVSKit
import RuleKit

/// Carries out a pass: saves the claims, swaps the spec, changes the kernel, and saves what is settled.
struct PassRun: Sendable {
    let mesh: Mesh
    /// The spec before the change.
    let before: MeshSpec
    /// The spec after the change.
    let spec: MeshSpec
    /// The ledger before the change.
    let ledger: Ledger
    let tool: RuleTool
    let purpose: Pass.Purpose
    /// Which connections of retiring paths end at once.
    var cut = ConnectionCut.none
    /// The stored ledger, if the one before the change could not be written; nil if that is the stored one.
    var stored: Ledger?
    /// Whether the pass takes the steps that the stored ledger covers although its claims cannot be written.
    var goesOnUnsaved = false

    /// The greatest number of rounds in one command. A round asks for another when a path has just begun to retire.
    private static let mostRounds = 3
    /// How often a place that stood is looked at again, if the kernel refuses its repair.
    private static let mostLooks = 2

    /// Carries out the pass. If it fails, and it edits the spec or moves the rules to another tool, it is taken back.
    /// The caller holds the lock.
    ///
    /// - Parameter observed: the observed kernel, complete for the new spec.
    func carryOut(_ observed: ObservedDatapath) async throws -> MeshChange {
        var round = Round(spec: spec, ledger: ledger, stored: stored ?? ledger, observed: observed)
        do {
            return try await converge(&round)
        } catch {
            let isEdit = round.spec != before && purpose != .reset
            // Without an edit there is nothing to take back: the steps taken stay, and the next pass continues from
            // there.
            guard isEdit || switchesTool else { throw (error as? IncompletePass)?.whole ?? error }
            let reason = (error as? IncompletePass)?.reason ?? error
            guard round.hasSwapped || switchesTool else {
                // The kernel was not touched. If the claims cannot be taken back either, a later pass finds that
                // nothing in the kernel matches them.
                try? save(ledger, in: &round)
                throw reason
            }
            throw await takeBack(round, because: reason)
        }
    }

    /// Whether a place stood before the pass.
    private func stood(_ place: PlaceID) -> Bool {
        let holdings = ledger[place]
        return purpose != .reset && holdings.refusal == nil && (holdings.namespace != nil || !holdings.links.isEmpty)
    }

    /// Whether the edit may be why the kernel refuses a place that is to stay: such an edit is taken back.
    private func isEdited(_ place: PlaceID, _ round: Round) -> Bool {
        guard purpose == .converge else { return false }
        if switchesTool { return true }
        guard spec != before else { return false }
        let old = mesh.compiler.compile(mesh.request(before, round.ledger), on: round.observed.node)
        let new = mesh.compiler.compile(mesh.request(spec, round.ledger), on: round.observed.node)
        return new.places[place] != nil && !old.holds(new, in: place)
    }

    /// Whether the rules move from one tool to another.
    private var switchesTool: Bool { ledger[.node].rules.map { $0 != tool } ?? false }

    /// The progress of a pass.
    private struct Round {
        var spec: MeshSpec
        var ledger: Ledger
        /// What the store has, which is the ledger unless that could not be written.
        var stored: Ledger
        var observed: ObservedDatapath
        var hasSwapped = false
    }

    /// What takes the steps of a round.
    private func applier(_ outcome: Pass.Outcome, _ round: Round, _ tolerated: Set<PlaceID>) -> Applier {
        let places = mesh.compiler.outline(mesh.request(round.spec, round.ledger)).places
        return Applier(
            kernel: mesh.kernel, places: places.merging(outcome.datapath.places) { $1 },
            tolerated: tolerated.union(round.ledger.places.filter { $0.value.refusal != nil }.keys))
    }

    private func converge(_ round: inout Round) async throws -> MeshChange {
        var change = MeshChange(spec: spec, ledger: ledger, plan: Plan([]), datapath: Datapath())
        var refused: [PlaceID: String] = [:]
        var looks: [PlaceID: Int] = [:]
        var tolerated: Set<PlaceID> = []
        // Places that had lost what nobody is served without.
        var rebuilt: Set<PlaceID> = []
        var rounds = 0
        while true {
            rounds += 1
            let now = mesh.kernel.now()
            let outcome = Pass.run(
                spec: round.spec, former: before, ledger: round.ledger, observed: round.observed, purpose: purpose,
                cutting: cut, tool: tool, compiler: mesh.compiler, folder: mesh.ledgers.folder,
                keepingForwarding: await forwardingKept(round), now: now)
            let conflicts = outcome.claims.places.compactMapValues(\.refusal)
                .filter { round.ledger[$0.key].refusal == nil }
            guard conflicts.isEmpty else {
                if let reason = conflicts.first(where: { stood($0.key) && isEdited($0.key, round) })?.value {
                    throw InputError(reason)
                }
                // The rules were observed for a node that has these places. Without the places the node has other
                // rules, so it has to be observed again.
                refused.merge(conflicts) { $1 }
                let ledger = conflicts.reduce(round.ledger) { $0.refusing($1.key, because: $1.value) }
                try save(ledger, in: &round)
                round.observed = try await observe(round)
                continue
            }
            rebuilt.formUnion(outcome.plan.steps.filter(\.makesWhatServes).compactMap(\.purpose))
            var claims = outcome.claims
            var settled = outcome.settled
            if purpose != .reset {
                for (sysctl, routers) in await routers(whenSwitchedOnBy: outcome.plan) {
                    // A switch that somebody turned off in between was first turned on for the sake of the ports alone.
                    claims[.node].routers[sysctl] = claims[.node].routers[sysctl] ?? routers
                    settled[.node].routers[sysctl] = claims[.node].routers[sysctl]
                }
            }
            let former = round.ledger
            do {
                try save(claims, in: &round)
            } catch let error as StoreError
                where goesOnUnsaved && error.code == .inaccessible && round.spec == before
            {
                // Nothing that the stored ledger does not have comes into the kernel. Once it is done, it is said that the
                // ledger cannot be written.
                let uncovered = outcome.plan.steps.filter { !round.stored.covers($0) }
                guard uncovered.isEmpty else {
                    // What has to wait does not keep connections at a task that is dead.
                    _ = try? await applier(outcome, round, tolerated).apply(outcome.plan.without(uncovered))
                    throw error
                }
                round.ledger = claims
            }
            if !round.hasSwapped, round.spec != before {
                try await mesh.store.swap(round.spec, replacing: before.generation)
                round.spec.generation = before.generation + 1
                round.hasSwapped = true
            }
            do {
                let result = try await applier(outcome, round, tolerated).apply(outcome.plan)
                change.plan = change.plan.followed(by: outcome.plan.without(result.failures.map(\.step)))
                change.plan.notes += result.failures.map(\.reason)
                change.remnants = result.remnants
                change.datapath = outcome.datapath
                settle(settled.keeping(result.failures.map(\.step), of: round.ledger, former: former), &round, &change)
                change.refusedSteps += result.failures.count
            } catch let refusal as PlaceRefusal {
                let place = refusal.place
                looks[place, default: 0] += 1
                // What stood may have been damaged while it was repaired, so it is looked at again.
                let stood = stood(place)
                if !stood || looks[place]! > Self.mostLooks {
                    if stood, isEdited(place, round) { throw refusal.reason }
                    if stood, !rebuilt.contains(place) {
                        // What it still lacks only costs a note: it serves, and nobody is helped if it is taken down.
                        tolerated.insert(place)
                    } else {
                        refused[place] = "\(refusal.reason)"
                        try save(round.ledger.refusing(place, because: "\(refusal.reason)"), in: &round)
                    }
                }
                round.observed = try await observe(round)
                continue
            }
            change.wake = outcome.wake
            guard let wake = outcome.wake, wake.time <= now, rounds < Self.mostRounds else { break }
            round.observed = try await observe(round)
        }
        change.spec = round.spec
        change.ledger = round.ledger
        change.refusals = refused
        change.didChange = round.hasSwapped || !change.plan.isEmpty || !round.ledger.says(sameAs: ledger)
        return change
    }

    private func observe(_ round: Round) async throws -> ObservedDatapath {
        try await mesh.observer.observe(
            mesh.request(round.spec, round.ledger), tool: tool,
            .init(forRestoring: purpose != .converge))
    }

    private func save(_ ledger: Ledger, in round: inout Round) throws {
        let generation = round.stored.generation
        if ledger != round.stored || generation == 0 {
            try mesh.ledgers.save(ledger, replacing: generation)
            round.stored = ledger
            round.stored.generation = generation + 1
        }
        round.ledger = round.stored
    }

    /// Saves the ledger after the plan. If that fails, the pass still succeeds with a note: the kernel is as it should
    /// be, and claims in excess only cost a later pass a look.
    private func settle(_ settled: Ledger, _ round: inout Round, _ change: inout MeshChange) {
        do {
            try save(settled, in: &round)
        } catch {
            let note =
                "the change was made, but what it left could not be written to the ledger: \(error); the next pass tries "
                + "again"
            if !change.plan.notes.contains(note) { change.plan.notes.append(note) }
        }
    }

    /// Puts the spec back as it was, and the kernel with it.
    ///
    /// - Returns: the reason for the failure; an ``UndoError`` if taking back failed, too.
    private func takeBack(_ round: Round, because reason: any Error) async -> any Error {
        do {
            if round.hasSwapped { try await mesh.store.swap(before, replacing: round.spec.generation) }
            // If the rules were moving to another tool, the rules of that other tool have to go.
            let tool = ledger[.node].rules ?? tool
            let undo = PassRun(
                mesh: mesh, before: before, spec: before, ledger: round.ledger, tool: tool, purpose: .undo(of: ledger))
            var back = Round(
                spec: before, ledger: round.ledger, stored: round.stored, observed: round.observed)
            // A place that was refused during the change may have been refused for the same cause that made the change
            // fail.
            for place in back.ledger.places.keys { back.ledger[place].refusal = ledger[place].refusal }
            back.observed = try await undo.observe(back)
            _ = try await undo.converge(&back)
        } catch {
            return UndoError(reason: reason, second: (error as? IncompletePass)?.reason ?? error)
        }
        return reason
    }

    /// The reasons to keep forwarding on where this pass would switch it off: somebody needs it now who was not there
    /// when the mesh switched it on.
    private func forwardingKept(_ round: Round) async -> [Sysctl: String] {
        guard purpose != .converge else { return [:] }
        let holdings = round.ledger[.node]
        var kept: [Sysctl: String] = [:]
        for family in AddressFamily.allCases {
            let sysctl = Sysctl.forwardingOfAll(family)
            // An earlier version did not note who was there, and from that nothing can be concluded.
            guard holdings.settings[sysctl] != nil, let before = holdings.routers[sysctl] else { continue }
            let routers = await mesh.kernel.routers(family)
            if let first = routers.found.subtracting(before).min() {
                kept[sysctl] = "\(first) came after meshctl had switched forwarding on, and may need it"
            } else if let first = routers.unreadable.min() {
                kept[sysctl] = "\(first) may need it"
            }
        }
        return kept
    }

    /// Who else may need forwarding at the moment at which the plan switches it on. Whoever cannot be found then counts later
    /// as somebody who has come since, for whom it stays on.
    private func routers(whenSwitchedOnBy plan: Plan) async -> [Sysctl: Set<String>] {
        var routers: [Sysctl: Set<String>] = [:]
        for family in AddressFamily.allCases {
            let sysctl = Sysctl.forwardingOfAll(family)
            guard plan.steps.contains(where: { $0.switchesOn(sysctl) }) else { continue }
            routers[sysctl] = await mesh.kernel.routers(family).found
        }
        return routers
    }
}

extension Plan.Step {
    /// Whether the step makes something without which its place serves nobody: the namespace, and the one link of the way
    /// from 127.0.0.1. Of the other places, each has links that it serves without.
    fileprivate var makesWhatServes: Bool {
        switch change {
        case .namespace(.make): true
        case .link(.make): purpose == .loopback
        default: false
        }
    }

    fileprivate func switchesOn(_ sysctl: Sysctl) -> Bool {
        if case .sysctl(let change) = change {
            place == .node && change.sysctl == sysctl && change.new == "1"
        } else {
            false
        }
    }
}

extension Ledger {
    /// Whether two ledgers agree in everything but their generation.
    fileprivate func says(sameAs other: Ledger) -> Bool {
        var other = other
        other.generation = generation
        return self == other
    }

    /// The ledger with everything that stayed because the kernel refused to remove it.
    fileprivate func keeping(_ failed: [Plan.Step], of claims: Ledger, former: Ledger) -> Ledger {
        var ledger = self
        for step in failed {
            switch step.change {
            case .hairpin(let port, false): ledger[step.place].hairpinPorts.insert(port)
            case .namespace(.remove(let name)): ledger[step.place].namespace = name
            case .link(.remove(let end)): ledger[step.place].links.insert(end.name)
            case .sysctl(let change) where change.sysctl == .reservedPorts:
                ledger[step.place].reservedPorts = former[step.place].reservedPorts
            case .sysctl(let change) where step.phase == .restoring && change.sysctl.switchesForwarding:
                // Once the switch is written, the kernel overwrites the settings that had their own values.
                ledger[step.place].settings.merge(claims[step.place].settings) { $1 }
            case .sysctl(let change) where step.phase == .restoring:
                ledger[step.place].settings[change.sysctl] = claims[step.place].settings[change.sysctl]
            case .sysctl, .hairpin, .namespace, .link, .routing, .tcpTimeout, .ipvs, .rules, .flows: break
            }
        }
        return ledger
    }
}
