import IPVSKit
import RuleKit

/// Takes the steps of a plan in order. Neighbouring steps of one kind are taken together, in one pipeline or one
/// transaction.
struct Applier: Sendable {
    let kernel: any MeshKernel
    /// The places by name.
    let places: [PlaceID: Place]
    /// The optional places of which a refused step only costs a note: those that this host has refused already, and those
    /// that serve although they cannot be repaired wholly.
    let tolerated: Set<PlaceID>

    /// The result of a plan that was carried out.
    struct Result: Sendable {
        /// Rules and sets that should have been removed, and had to stay.
        var remnants: [RuleRemnant] = []
        /// The steps that the kernel refused at the cost of a note, with the reasons.
        var failures: [(step: Plan.Step, reason: String)] = []
    }

    /// - Throws: ``PlaceRefusal`` if the mesh has to do without an optional place; ``IncompletePass`` if the kernel
    ///   refused any other necessary step.
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
                if let place = first.purpose, !tolerated.contains(place) {
                    throw PlaceRefusal(place: place, reason: error)
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

    /// Takes steps of one place and kind.
    private func take(_ steps: [Plan.Step]) async throws -> [RuleRemnant] {
        let step = steps[0]
        let place = places[step.place]!
        switch step.change {
        case .namespace(.make): try await kernel.make(place)
        case .namespace(.remove): try await kernel.remove(place)
        case .hairpin(let port, let isOn): try await kernel.setHairpin(isOn, of: port)
        case .flows:
            try await kernel.open(place).forget(
                steps.compactMap { if case .flows(let flows) = $0.change { flows } else { nil } })
        case .link(.make(let link, _)): try await kernel.make(link, in: places)
        case .link(.remove(let end)): try await kernel.open(place).change(.delete, of: end.name)
        case .link(.raise(let end, let mend, _)): try await raise(end, mend, in: place)
        case .routing(let rule, let isWanted): try await kernel.open(place).set(rule, isWanted)
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
        // The end may still not reach its peer, for example if a routing rule leads elsewhere.
        guard !end.reaches.isEmpty,
            case .known(let link) = try await kernel.links([end], in: place, others: [])[end.id.name],
            let lost = end.reaches.subtracting(link.reached).min()
        else { return }
        throw PlaceError(
            .unavailable, "reach \(lost) by the interface \(end.id)",
            hint: "a route or a routing rule of this host's leads elsewhere")
    }
}

/// This host refused an optional place.
struct PlaceRefusal: Error {
    var place: PlaceID
    var reason: any Error
}

extension Plan.Step {
    /// Whether two steps can be taken in one pipeline or one transaction.
    fileprivate func goesTogether(with other: Plan.Step) -> Bool {
        guard place == other.place, purpose == other.purpose else { return false }
        return switch (change, other.change) {
        case (.ipvs, .ipvs), (.flows, .flows): true
        case (.rules(_, let tool), .rules(_, let otherTool)): tool == otherTool
        default: self == other
        }
    }

    /// The consequence if the kernel refuses the step.
    fileprivate var refusal: Phase.Cost {
        // Reserved ports and router advertisements are helpful, not necessary.
        if case .sysctl(let change) = change, change.sysctl.onlyHelps { return .note }
        return phase.refusal
    }
}

extension Sysctl {
    fileprivate var onlyHelps: Bool { self == .reservedPorts || isAboutRouterAdvertisements }
}

extension LinkMend {
    /// The messages that carry out the repair, in order. The hardware address comes before the interface is raised: the
    /// neighbour would otherwise learn the former one.
    fileprivate var operations: [LinkOperation] {
        var operations: [LinkOperation] = []
        if let alias { operations.append(.setAlias(alias)) }
        if let hardwareAddress { operations.append(.setHardwareAddress(hardwareAddress)) }
        if let mtu { operations.append(.setMTU(mtu)) }
        if let bridge { operations.append(.joinBridge(bridge)) }
        if let isolation { operations.append(.isolate(isolation)) }
        operations += strayRoutes.sorted().map { .removeRoute($0) }
        operations += strayNeighbours.sorted().map { .removeNeighbour($0) }
        operations += strayForwarding.sorted().map { .removeForwarding($0) }
        operations += addresses.sorted().map { .addAddress($0) }
        operations += strayAddresses.map { .removeAddress($0) }
        operations += lateAddresses.sorted().map { .addAddress($0) }
        if let linkLocal { operations.append(.restoreLinkLocal(linkLocal)) }
        if raises { operations.append(.raise) }
        operations += routes.sorted().map { .addRoute($0) }
        operations += neighbours.sorted { $0.key < $1.key }.map { .putNeighbour($0.key, $0.value) }
        operations += forwarding.sorted { $0.key < $1.key }.map { .putForwarding($0.key, $0.value) }
        return operations
    }
}
