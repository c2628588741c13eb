import IPVSKit
import RuleKit

/// Takes the steps of a plan, in order, neighbours of one kind together: one pipeline, one transaction.
struct Applier: Sendable {
    let kernel: any MeshKernel
    /// The places by their names.
    let places: [PlaceID: Place]
    /// The optional places that this host has refused already: what is refused of them now costs a note.
    let refused: Set<PlaceID>

    /// What came of it.
    struct Result: Sendable {
        /// What had to stay of what was to be taken away.
        var remnants: [RuleRemnant] = []
        /// Steps that the kernel refused and that only help, with the reasons.
        var failures: [(step: Plan.Step, reason: String)] = []
    }

    /// - Throws: ``PlaceRefusal`` where an optional place has to be done without; whatever else was refused.
    func apply(_ plan: Plan) async throws -> Result {
        var result = Result()
        var rest = plan.steps[...]
        while let first = rest.first {
            let count = rest.prefix { $0.goesTogether(with: first) }.count
            let steps = Array(rest.prefix(count))
            rest.removeFirst(count)
            do {
                result.remnants += try await take(steps)
            } catch {
                if let place = first.purpose, !refused.contains(place) {
                    throw PlaceRefusal(place: place, reason: "\(error)")
                }
                guard first.purpose != nil || first.refusal == .note else {
                    let done = plan.steps.count - rest.count - count
                    throw IncompletePass(reason: error, done: done, left: count + rest.count)
                }
                result.failures += steps.map { ($0, "\(error)") }
            }
        }
        return result
    }

    /// Steps of one place and kind.
    private func take(_ steps: [Plan.Step]) async throws -> [RuleRemnant] {
        let step = steps[0]
        let place = places[step.place]!
        switch step.change {
        case .namespace(.make): try await kernel.make(place)
        case .namespace(.remove): try await kernel.remove(place)
        case .hairpin(let port, let isOn): try await kernel.setHairpin(isOn, of: port)
        case .flows: try await kernel.forget(steps.compactMap { if case .flows(let flows) = $0.change { flows } else { nil } })
        case .link(.make(let link, _)): try await kernel.make(link, in: places)
        case .link(.remove(let end)): try await kernel.open(place).change(.delete, of: end.name)
        case .link(.raise(let end, let mend, _)): try await raise(end, mend, in: place)
        case .sysctl(let change): try await kernel.open(place).write(change.new, to: change.sysctl)
        case .tcpTimeout(_, let seconds): try await kernel.open(place).ipvs.set(Timeouts(tcpSeconds: seconds))
        case .ipvs:
            let changes = steps.compactMap { if case .ipvs(let change) = $0.change { change } else { nil } }
            try await kernel.open(place).ipvs.perform(changes).get()
        case .rules(_, let tool):
            let changes = steps.compactMap { if case .rules(let change, _) = $0.change { change } else { nil } }
            return try await kernel.open(place).rules(by: tool).apply(changes)
        }
        return []
    }

    private func raise(_ end: LinkEnd, _ mend: LinkMend, in place: Place) async throws {
        let here = try await kernel.open(place)
        for operation in mend.operations { try await here.change(operation, of: end.id.name) }
        // What was put up may yet not do, as where a routing rule leads elsewhere.
        guard !end.reaches.isEmpty,
            case .known(let link) = try await kernel.links([end], in: place, others: [])[end.id.name],
            let lost = end.reaches.subtracting(link.reached).min()
        else { return }
        throw PlaceError(
            .unavailable, "reach \(lost) by the interface \(end.id)",
            hint: "a route or a routing rule of this host's leads elsewhere")
    }
}

/// This host does not carry an optional place.
struct PlaceRefusal: Error {
    var place: PlaceID
    var reason: String
}

extension Plan.Step {
    /// Whether two steps make one pipeline, or one transaction.
    fileprivate func goesTogether(with other: Plan.Step) -> Bool {
        guard place == other.place, purpose == other.purpose else { return false }
        return switch (change, other.change) {
        case (.ipvs, .ipvs), (.flows, .flows): true
        case (.rules(_, let tool), .rules(_, let otherTool)): tool == otherTool
        default: self == other
        }
    }

    /// What it costs that the kernel refuses the step.
    fileprivate var refusal: Phase.Cost {
        // That the node takes no published port for a connection of its own only helps.
        if case .sysctl(let change) = change, change.sysctl.onlyHelps { return .note }
        return phase.refusal
    }
}

extension Sysctl {
    fileprivate var onlyHelps: Bool { self == .reservedPorts || isAboutRouterAdvertisements }
}

extension LinkMend {
    /// In the order in which they have to be done: an interface that is raised without its hardware address is known to
    /// its neighbour by another.
    fileprivate var operations: [LinkOperation] {
        var operations: [LinkOperation] = []
        if let alias { operations.append(.setAlias(alias)) }
        if let hardwareAddress { operations.append(.setHardwareAddress(hardwareAddress)) }
        operations += strayAddresses.sorted().map { .removeAddress($0) }
        operations += addresses.sorted().map { .addAddress($0) }
        if raises { operations.append(.raise) }
        operations += routes.sorted().map { .addRoute($0) }
        operations += neighbours.sorted { $0.key < $1.key }.map { .putNeighbour($0.key, $0.value) }
        return operations
    }
}
