import IPVSKit
import RuleKit

/// Reads what the kernel holds, place by place.
struct Observer: Sendable {
    let kernel: any MeshKernel
    let compiler: Compiler

    /// What is read besides the outline of the request.
    struct Options: Sendable {
        /// Whether the counters of IPVS are read, which takes several times as long as reading its table.
        var withCounters = false
        /// Whether the settings of all interfaces are read that the mesh may have changed.
        var forRestoring = false
    }

    /// - Throws: an error if IPVS, the rules or the addresses of the node cannot be read, since nothing can be planned
    ///   without them. Anything that only optional parts need is ``Reading/unreadable(_:)`` instead.
    func observe(_ request: MeshRequest, tool: RuleTool, _ options: Options = Options()) async throws
        -> ObservedDatapath
    {
        kernel.listener.skip()
        var request = request
        if !request.ownAttachedTasks.isEmpty {
            // Where the kernel does not say, it is what the mesh has recorded of it.
            request.hasZones = await kernel.hasZones() ?? request.ownNode?.hasZones
        }
        let peers = request.overlayPeers
        if !peers.isEmpty { request.underlayMTU = try await kernel.mtu(to: peers) }
        var outline = compiler.outline(request)
        var found = ObservedDatapath()
        found.node = try await kernel.nodeFacts(readsInterfaces: outline.forwarding.contains(.ipv6))
        outline.limitRoles(to: found.node.families)
        found.node.hasZones = request.hasZones
        found.node.underlayMTU = request.underlayMTU
        if outline.passage != nil, tool != .iptables {
            found.node.filtersForwards = await kernel.filtersForwards()
        }
        let places = outline.places.values.sorted { $0.rank < $1.rank }
        // All places are entered before any is read, because interfaces of one place lead into others.
        for place in places { found[place.id].existence = await kernel.enter(place) }
        found.node.gone = Set(places.filter { $0.isLent && found[$0.id].existence.isAbsent }.map(\.id))
        if !request.ownAttachedTasks.isEmpty {
            // The routes of a task decide how it is joined, and may have changed since it was attached. Of one that is gone,
            // or cannot be asked, the spec still says which it had.
            var defaults: [PlaceID: [IPAddress]] = [:]
            for place in places where place.id.taskNamespace != nil && found[place.id].existence.value == .namespace {
                defaults[place.id] = try? await kernel.open(place).defaultAddresses()
            }
            let former = request.membership
            request.defaultAddresses = defaults
            // As a rule they are those that the spec has, and the outline is the same.
            if request.membership != former {
                outline = compiler.outline(request)
                outline.limitRoles(to: found.node.families)
            }
        }
        found.node.defaultAddresses = request.defaultAddresses
        for place in places where found[place.id].existence.value == .namespace {
            do {
                found[place.id] = try await observe(place, outline, request, tool, options, found.node)
            } catch  where place.isOptional {
                found[place.id].existence = .unreadable("\(error)")
            }
        }
        await countConnections(ofTasksBehind: request, into: &found)
        try await readInterfaceSettings(outline, request, options, into: &found)
        try await readRoutes(for: request, into: &found)
        return found
    }

    /// Whether a new request needs places, links or settings read that the former one did not.
    func looksAtMore(for request: MeshRequest, than former: MeshRequest) -> Bool {
        var (new, old) = (compiler.outline(request), compiler.outline(former))
        // The settings of forwarding are completed, and the planner sees that rules are those of another role.
        new.forwarding = []
        old.forwarding = []
        new.roles = [:]
        old.roles = [:]
        return new != old
    }

    /// Reads whatever a new request needs that was not read for the former one.
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

    /// Adds the connections that came to this node's attached tasks by other nodes: the sandbox has those of its own only,
    /// and the task has all of them. What a task has does not say by which port it came: where another port leads to the
    /// same server, the task stays in any case, and only the sandbox's own connections count. A path to a task that does not
    /// answer has no count.
    private func countConnections(ofTasksBehind request: MeshRequest, into found: inout ObservedDatapath) async {
        let retiring = request.ledger[.sandbox].retiring
        guard !retiring.isEmpty else { return }
        let paths = request.spec.paths
        for task in request.ownAttachedTasks where found[task.place].existence.value == .namespace {
            let own = Set(task.attachment.addresses[MeshNetwork.ingress] ?? [])
            func isServed(_ destination: Destination.ID, besides path: RetiringPath) -> Bool {
                let targets = path.targets ?? destination.port...destination.port
                return paths.contains { mark, other in
                    let theirs = Destination.ID(destination.address, port: other.port.destinationPort)
                    return mark != path.mark && other.port.listening.transport == path.binding.transport
                        && other.port.targets.overlaps(targets) && other.wish(for: theirs, at: .sandbox) == .serves
                }
            }
            let asked = retiring.flatMap { path in
                path.destinations.filter { own.contains($0.address) && !isServed($0, besides: path) }.map { (path, $0) }
            }
            let servers = Dictionary(asked.map { path, destination in (destination, path.binding.transport) }) { $1 }
            guard !servers.isEmpty, let place = compiler.outline(request).places[task.place] else { continue }
            let counts = try? await kernel.open(place).connections(at: servers)
            for (path, destination) in asked where servers[destination] == path.binding.transport {
                let key = RetiringDestination(destination, of: .firewallMark(path.mark, destination.address.family))
                guard let counts else {
                    // The sandbox's own count says nothing of the others. Of a path without a count, connections are left.
                    found[.sandbox].connections[key] = nil
                    continue
                }
                guard let count = counts[destination] else { continue }
                found[.sandbox].connections[key] = max(found[.sandbox].connections[key] ?? 0, count)
            }
        }
    }

    private func observe(
        _ place: Place, _ outline: Outline, _ request: MeshRequest, _ tool: RuleTool, _ options: Options,
        _ node: NodeFacts
    ) async throws -> ObservedPlace {
        var found = ObservedPlace()
        found.existence = .known(.namespace)
        let here = try await kernel.open(place)
        let holdings = request.ledger[place.id]
        if case .own = place.existence { found.strangers = try await here.strangers() }
        // IPVS comes first: its settings exist only once its module is loaded, and reading the table loads it.
        if outline.balancers.contains(place.id) {
            let ipvs = try here.ipvs
            if options.withCounters {
                found.services = try await ipvs.status()
                found.table = Table(found.services)
            } else {
                found.table = try await ipvs.table()
            }
            found.timeouts = try await ipvs.timeouts()
            var retiring: [RetiringDestination: TransportProtocol] = [:]
            for path in holdings.retiring {
                for destination in path.destinations {
                    let service = VirtualService.ID.firewallMark(path.mark, destination.address.family)
                    retiring[RetiringDestination(destination, of: service)] = path.binding.transport
                }
            }
            if !retiring.isEmpty { found.connections = try await here.connections(to: retiring) }
        }
        let ends = outline.links.flatMap(\.ends).filter { $0.id.place == place.id }
        let sysctls = (outline.sysctls[place.id] ?? []).union(ends.flatMap(\.settings.keys))
            .union(holdings.settings.keys)
        found.sysctls = await here.read(sysctls)
        if !ends.isEmpty {
            found.links = try await kernel.links(ends, in: place, others: outline.peers(of: place.id))
            for end in ends where found.links[end.id.name]?.isAbsent == true && !end.claims.isEmpty {
                found.claimants[end.id.name] = try await here.claimant(of: end)
            }
        }
        if outline.routed.contains(place.id) { found.routingRules = try await here.routingRules() }
        if let role = outline.roles[place.id] {
            found.role = role
            found.rules = try await here.rules(by: tool).read(expecting: role)
            found.owner = found.rules.owner
            // If this ledger has no rules yet, another ledger's rules may be carried by the other tool.
            if holdings.rules == nil, outline.balancers.contains(place.id) {
                for other in RuleTool.allCases where other != tool && found.owner == nil {
                    found.owner = try await here.owner(by: other)
                }
            }
            if let former = holdings.formerRules(besides: tool) {
                found.formerRules = try await here.rules(by: former).read(expecting: role)
            }
            if place.id == .node, tool != .iptables, let path = outline.passage,
                node.filtersForwards.value == true || holdings.hasPassage
            {
                found.passage = try await here.rules(by: .iptables).read(expecting: .passage(path))
            }
        }
        return found
    }

    /// Reads the switches of single interfaces. The kernel overwrites them when the switch for all interfaces is
    /// written, so their values have to be known before that.
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

extension Outline {
    /// The other places into which links of a place lead.
    fileprivate func peers(of place: PlaceID) -> [Place] {
        let ids = Set(
            links.filter { $0.ends.contains { $0.id.place == place } }.flatMap { $0.ends.map(\.id.place) })
        return ids.subtracting([place]).compactMap { places[$0] }
    }
}
