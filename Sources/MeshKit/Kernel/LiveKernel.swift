import Conntrack
package import IPVSKit
import Netlink
import RuleKit
package import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The kernel that runs the process. The node is the network namespace of the process.
package struct LiveKernel: MeshKernel {
    let node: NamespaceHandle
    let nodeKernel: LivePlace
    private let bridges: Bridges
    /// Asked in each pass, so its socket stays.
    private let tables: NFTTables
    /// A folder in which the tools cache their findings about themselves.
    private let cache: FilePath
    /// The entered places by name. The tools of a place keep what they have read, so that they need not read it again
    /// before they write.
    private let entered: Locked<[PlaceID: Entered]>

    private struct Entered {
        var kernel: LivePlace
        /// Whether the namespace is a task's, of which there may be many.
        var isLent: Bool
    }

    /// Whether the kernel is known to have conntrack zones.
    private let zones = Locked(false)
    package let listener: KernelListener

    /// - Throws: an error if the namespace of the process cannot be opened.
    package init(ipvs: IPVS, cache: FilePath) throws {
        self.cache = cache
        node = try NetworkNamespace.current.open()
        nodeKernel = LivePlace(handle: node, isProcess: true, ipvs: ipvs, cache: cache)
        let entered = Locked<[PlaceID: Entered]>([:])
        self.entered = entered
        listener = KernelListener { place in entered.withLock { $0[place] = nil } }
        bridges = Bridges(nodeKernel.routes)
        tables = NFTTables(in: node)
    }

    package func identity() throws -> NamespaceIdentity { try NamespaceIdentity.ofProcess(node) }

    package func whereabouts(of namespace: NamespaceIdentity) async throws -> String? {
        try await namespace.whereabouts()
    }

    package func now() -> BootTime { .now() }
    package func mtu(to addresses: Set<IPAddress>) async throws -> UInt32? { try await nodeKernel.mtu(to: addresses) }

    package func filtersForwards() async -> Reading<Bool> {
        do throws(PlaceError) {
            for family in AddressFamily.allCases {
                let names = try PlaceError.attempt("list the tables of legacy iptables") { () throws(Errno) in
                    try LegacyTables.names(family)
                }
                if names.contains("filter") { return .known(true) }
            }
            let names: [String]
            do throws(NetlinkError) {
                names = try await tables.names()
            } catch {
                throw PlaceError("list the tables of nftables", error)
            }
            return .known(names.contains { $0 == "ip filter" || $0 == "ip6 filter" })
        } catch {
            return .unreadable(error.description)
        }
    }

    package func hasZones() async -> Bool? {
        if zones.withLock(\.self) { return true }
        guard let found = try? await Conntrack().hasZones() else { return nil }
        zones.withLock { $0 = found }
        return found
    }

    package func bestTool() async -> RuleTool { await .best() }

    package func nodeFacts(readsInterfaces: Bool) async throws -> NodeFacts {
        var facts = NodeFacts()
        facts.addresses = try NodeAddresses.read()
        let sysctls = await nodeKernel.read([
            .localPorts, .kernelRelease, .bridgesThroughIPTables, .bridgesThroughIP6Tables,
        ])
        let ports = sysctls[.localPorts]?.value?.split(whereSeparator: \.isWhitespace).compactMap { UInt16($0) }
        if let ports, ports.count == 2, ports[0] <= ports[1] { facts.localPorts = ports[0]...ports[1] }
        if let version = sysctls[.kernelRelease]?.value.flatMap({ KernelVersion(release: $0) }) {
            facts.kernel = version
        }
        facts.hasBridgeFilter = sysctls[.bridgesThroughIPTables]?.value != nil
        facts.filtersBridges = [.bridgesThroughIPTables, .bridgesThroughIP6Tables].contains {
            sysctls[$0]?.value == "1"
        }
        if access("/proc/net/if_inet6", F_OK) != 0 { facts.families = [.ipv4] }
        do {
            facts.bridgePorts = .known(try await bridges.ports(among: Set(facts.addresses.map(\.interface))))
        } catch {
            facts.bridgePorts = .unreadable("\(error)")
        }
        if readsInterfaces { facts.outwardInterfaces = try await nodeKernel.outwardInterfaces() }
        return facts
    }

    package func routers(_ family: AddressFamily) async -> Routers {
        var routers = Routers()
        if let links = try? await nodeKernel.routes.links() {
            let bridges = links.filter { $0.kind == "bridge" && $0.group != LivePlace.group }
            routers.found.formUnion(bridges.map { "the bridge \($0.name)" })
        } else {
            routers.unreadable.insert("an interface that could not be read")
        }
        let rules = await HostRules.read()
        routers.found.formUnion(rules.routing(family))
        if !rules.areKnown(for: family) { routers.unreadable.insert("a rule that could not be read") }
        return routers
    }

    package func routes(to addresses: Set<IPAddress>) async throws -> [IPAddress: RoutedNetwork] {
        try await nodeKernel.routedNetworks(of: addresses)
    }

    package func enter(_ place: Place) async -> Reading<ObservedPlace.Existence> {
        let (existence, handle) = await look(at: place)
        if let handle {
            await listener.meet(place, in: handle)
            remember(place, handle)
        } else if existence.isAbsent || existence.value == .somethingElse {
            leave(place)
        }
        return existence
    }

    /// What a place's name stands for, and the namespace if it stands for one.
    private func look(at place: Place) async -> (Reading<ObservedPlace.Existence>, NamespaceHandle?) {
        switch place.existence {
        case .lent(.process): return (.known(.namespace), node)
        case .lent(.file(let path, let inode)):
            do {
                let handle = try NetworkNamespace.path(FilePath(path)).open()
                // The file may refer to a later namespace by now.
                if let inode, inode != handle.inode { return (.absent, nil) }
                // So may the number of a process of this node.
                if handle.isSame(as: node) { return (.absent, nil) }
                return (.known(.namespace), handle)
            } catch {
                return (error.errno == .noSuchFileOrDirectory ? .absent : .unreadable("\(error)"), nil)
            }
        case .own(let name):
            do {
                switch try await NamespaceMount(name: name).content(from: node) {
                case .missing: return (.absent, nil)
                case .somethingElse: return (.known(.somethingElse), nil)
                case .namespace(let handle): return (.known(.namespace), handle)
                }
            } catch {
                return (.unreadable("\(error)"), nil)
            }
        }
    }

    package func make(_ place: Place) async throws {
        guard case .own(let name) = place.existence else { preconditionFailure("\(place.id) is not ours to make") }
        let handle: NamespaceHandle
        do throws(NetlinkError) {
            handle = try await .scratch()
        } catch {
            throw PlaceError("make a network namespace", error.errno ?? .ioError)
        }
        try await NamespaceMount(name: name).add(handle)
        await listener.meet(place, in: handle)
        remember(place, handle)
    }

    package func remove(_ place: Place) async throws {
        guard case .own(let name) = place.existence else { preconditionFailure("\(place.id) is not ours to remove") }
        leave(place)
        try await NamespaceMount(name: name).remove(node)
    }

    /// Closes what is open in a place that is gone.
    private func leave(_ place: Place) { listener.leave(place.id) }

    package func release() {
        entered.withLock { entered in
            // The listener learns when a place goes, and then nothing keeps it.
            entered = entered.filter { listener.listens(to: $0.key) }
            // Each socket has a thread.
            for place in entered.values where place.isLent { place.kernel.rest() }
        }
    }

    package func waitForRelease(of ports: Set<HeldPort>, byAgentOf folder: String) async {
        guard !ports.isEmpty, await AgentLock.isHeld(in: FilePath(folder)) else { return }
        // A port on which a program listens is not held by the agent.
        let ports = ports.filter { port in
            (try? Listeners.read(transport: port.transport, ports: port.number...port.number))?.isEmpty != false
        }
        let end = ContinuousClock.now + .seconds(5)
        while ports.contains(where: PortHolder.isTaken), ContinuousClock.now < end, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(5))
        }
    }

    package func open(_ place: Place) async throws -> any PlaceKernel { try live(place) }

    private func live(_ place: Place) throws(PlaceError) -> LivePlace {
        if place.existence == .lent(.process) { return nodeKernel }
        guard let found = entered.withLock({ $0[place.id]?.kernel }) else {
            throw PlaceError(.other, "enter the place \(place.id)", hint: "its network namespace is gone")
        }
        return found
    }

    /// Remembers an entered place. An earlier entry stays valid only while the name stands for the same namespace.
    private func remember(_ place: Place, _ handle: NamespaceHandle) {
        if place.existence == .lent(.process) { return }
        entered.withLock { entered in
            if let before = entered[place.id]?.kernel, before.handle.isSame(as: handle) { return }
            entered[place.id] = Entered(kernel: live(in: handle), isLent: place.isLent)
        }
    }

    /// Access to a namespace that is not that of the process.
    func live(in handle: NamespaceHandle) -> LivePlace {
        LivePlace(handle: handle, isProcess: false, ipvs: nil, cache: cache)
    }

    package func links(_ ends: [LinkEnd], in place: Place, others: [Place]) async throws -> [String: Reading<
        ObservedLink
    >] {
        try await live(place).links(
            ends, others: others.compactMap { place in (try? live(place)).map { (place, $0) } })
    }

    package func make(_ link: Link, in places: [PlaceID: Place]) async throws {
        var new: [NewInterface] = []
        for end in link.ends {
            new.append(
                NewInterface(
                    name: end.id.name, hardwareAddress: end.hardwareAddress.bytes, group: LivePlace.group,
                    namespace: try live(places[end.id.place]!).handle))
        }
        let names = link.ends.map { "\($0.id)" }.joined(separator: " and ")
        // The kernel makes a VXLAN interface for the namespace of the socket, and here that is the node's.
        let maker = if case .vxlan = link.kind { nodeKernel } else { try live(places[link.ends[0].id.place]!) }
        let interfaces = new
        try await maker.routes.asking("make the \(link.kind) \(names)") { () throws(NetlinkError) in
            switch link.kind {
            case .veth: try await maker.routes.createPair(interfaces[0], interfaces[1])
            case .bridge: try await maker.routes.createBridge(interfaces[0])
            case .vxlan(let settings):
                try await maker.routes.createVXLAN(
                    interfaces[0],
                    VXLANSettings(
                        identifier: settings.identifier, port: settings.port, local: settings.local?.bytes))
            }
        }
    }

    package func setHairpin(_ isOn: Bool, of port: String) async throws { try await bridges.setHairpin(isOn, of: port) }
}
