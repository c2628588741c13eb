import IPVSKit
import RuleKit

/// Reads what the kernel holds, place by place.
struct Observer: Sendable {
    let kernel: any MeshKernel
    let compiler: Compiler

    /// What is looked at besides what the request itself asks for.
    struct Options: Sendable {
        /// What IPVS counts, which takes several times as long as its table.
        var withCounters = false
        /// The settings of all interfaces that the mesh may have changed.
        var forRestoring = false
    }

    /// - Throws: where IPVS, the rules or the addresses of the node cannot be read: nothing can be planned without.
    ///   What only optional parts need is ``Reading/unreadable(_:)`` instead.
    func observe(_ request: MeshRequest, tool: RuleTool, _ options: Options = Options()) async throws
        -> ObservedDatapath
    {
        let outline = compiler.outline(request)
        var found = ObservedDatapath()
        found.node = try await kernel.nodeFacts(readsInterfaces: outline.forwarding.contains(.ipv6))
        let places = outline.places.values.sorted { $0.rank < $1.rank }
        // All are entered before one is looked at: interfaces of one lead into others.
        for place in places { found[place.id].existence = await kernel.existence(of: place) }
        for place in places where found[place.id].existence.value == .namespace {
            do {
                found[place.id] = try await observe(place, outline, request, tool, options)
            } catch where place.isOptional {
                found[place.id].existence = .unreadable("\(error)")
            }
        }
        try await readInterfaceSettings(outline, request, options, into: &found)
        try await readRoutes(for: request, into: &found)
        return found
    }

    /// Reads what a request takes that is not the one that was observed for.
    func complete(
        _ found: inout ObservedDatapath, for request: MeshRequest, tool: RuleTool, _ options: Options = Options()
    ) async throws {
        let outline = compiler.outline(request)
        if outline.forwarding.contains(.ipv6), found.node.outwardInterfaces.isEmpty {
            found.node.outwardInterfaces = try await kernel.nodeFacts(readsInterfaces: true).outwardInterfaces
        }
        try await readInterfaceSettings(outline, request, options, into: &found)
        try await readRoutes(for: request, into: &found)
    }

    private func readRoutes(for request: MeshRequest, into found: inout ObservedDatapath) async throws {
        found.node.routes = try await kernel.routes(to: compiler.lookups(request, on: found.node))
    }

    private func observe(
        _ place: Place, _ outline: Outline, _ request: MeshRequest, _ tool: RuleTool, _ options: Options
    ) async throws -> ObservedPlace {
        var found = ObservedPlace()
        found.existence = .known(.namespace)
        let here = try await kernel.open(place)
        let holdings = request.ledger[place.id]
        // IPVS first: its settings exist once its module is loaded, and reading the table loads it.
        if outline.balancers.contains(place.id) {
            let ipvs = try here.ipvs
            if options.withCounters {
                found.services = try await ipvs.status()
                found.table = Table(found.services)
            } else {
                found.table = try await ipvs.table()
            }
            found.timeouts = try await ipvs.timeouts()
            let retiring = Set(
                holdings.retiring.flatMap { path in
                    path.destinations.map {
                        RetiringDestination($0, of: .firewallMark(path.mark, $0.address.family))
                    }
                })
            if !retiring.isEmpty { found.connections = try await here.connections(to: retiring) }
        }
        let ends = outline.links.flatMap(\.ends).filter { $0.id.place == place.id }
        let sysctls = (outline.sysctls[place.id] ?? []).union(ends.flatMap(\.settings.keys))
            .union(holdings.settings.keys)
        found.sysctls = await here.read(sysctls)
        if !ends.isEmpty {
            found.links = try await kernel.links(
                ends, in: place, others: outline.places.values.filter { $0.id != place.id })
            for end in ends where found.links[end.id.name]?.isAbsent == true && !end.claims.isEmpty {
                found.claimants[end.id.name] = try await here.claimant(of: end)
            }
        }
        if let role = outline.roles[place.id] {
            found.role = role
            found.rules = try await here.rules(by: tool).read(expecting: role)
            if let former = holdings.formerRules(besides: tool) {
                found.formerRules = try await here.rules(by: former).read(expecting: role)
            }
        }
        return found
    }

    /// The kernel writes the switch of each interface when that for all is written: what they were has to be known before.
    private func readInterfaceSettings(
        _ outline: Outline, _ request: MeshRequest, _ options: Options, into found: inout ObservedDatapath
    ) async throws {
        guard !outline.forwarding.isEmpty else { return }
        let here = try await kernel.open(.node)
        var sysctls: Set<Sysctl> = []
        let holdings = request.ledger[.node]
        for family in outline.forwarding {
            let all = Sysctl.forwardingOfAll(family)
            let isOurs = holdings.settings[all] != nil
            let isOff = found[.node].sysctls[all]?.value == "0"
            if isOff || (options.forRestoring && isOurs), case .known(let names) = await here.interfaces(with: family) {
                sysctls.formUnion(names.subtracting(["all"]).map { .forwarding($0, family) })
            }
            if family == .ipv6, isOff || isOurs {
                for name in found.node.outwardInterfaces {
                    sysctls.formUnion([.forwarding(name, .ipv6), .acceptRouterAdvertisements(name)])
                }
            }
        }
        if !sysctls.isEmpty { found[.node].sysctls.merge(await here.read(sysctls)) { $1 } }
        found.node.settings = found[.node].sysctls.compactMapValues(\.value)
    }
}
