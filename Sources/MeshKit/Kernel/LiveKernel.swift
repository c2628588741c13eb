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
    private let node: NamespaceHandle
    private let nodeKernel: LivePlace
    private let conntrack: Conntrack
    private let bridges: Bridges
    /// A folder in which the tools cache their findings about themselves.
    private let cache: FilePath
    /// The entered places by name. The tools of a place keep what they have read, so that they need not read it again
    /// before they write.
    private let entered = Locked<[PlaceID: LivePlace]>([:])

    /// - Throws: an error if the namespace of the process cannot be opened.
    package init(ipvs: IPVS, cache: FilePath) throws {
        self.cache = cache
        node = try NetworkNamespace.current.open()
        conntrack = try Conntrack()
        nodeKernel = LivePlace(
            handle: node, isProcess: true, ipvs: ipvs,
            backends: Dictionary(uniqueKeysWithValues: RuleTool.allCases.map { ($0, $0.backend(cache: cache)) }))
        bridges = Bridges(nodeKernel.routes)
    }

    package func identity() throws -> NamespaceIdentity { try NamespaceIdentity.ofProcess(node) }
    package func whereabouts(of namespace: NamespaceIdentity) async -> String? { await namespace.whereabouts() }
    package func now() -> BootTime { .now() }
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

    package func routers(_ family: AddressFamily) async -> Set<String> {
        var routers: Set<String> = []
        if let links = try? await nodeKernel.routes.links() {
            routers.formUnion(links.filter { $0.kind == "bridge" }.map { "the bridge \($0.name)" })
        }
        routers.formUnion(await HostRules.read().routing(family))
        return routers
    }

    package func routes(to addresses: Set<IPAddress>) async throws -> [IPAddress: RoutedNetwork] {
        try await nodeKernel.routedNetworks(of: addresses)
    }

    package func existence(of place: Place) async -> Reading<ObservedPlace.Existence> {
        switch place.existence {
        case .lent(.process): return .known(.namespace)
        case .lent(.file(let path)):
            do {
                let handle = try NetworkNamespace.path(FilePath(path)).open()
                enter(place, handle)
                return .known(.namespace)
            } catch {
                return error.errno == .noSuchFileOrDirectory ? .absent : .unreadable("\(error)")
            }
        case .own(let name):
            do {
                switch try await NamespaceMount(name: name).content(from: node) {
                case .missing: return .absent
                case .somethingElse: return .known(.somethingElse)
                case .namespace(let handle):
                    enter(place, handle)
                    return .known(.namespace)
                }
            } catch {
                return .unreadable("\(error)")
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
        enter(place, handle)
    }

    package func remove(_ place: Place) async throws {
        guard case .own(let name) = place.existence else { preconditionFailure("\(place.id) is not ours to remove") }
        entered.withLock { $0[place.id] = nil }
        try await NamespaceMount(name: name).remove(node)
    }

    package func open(_ place: Place) async throws -> any PlaceKernel { try live(place) }

    private func live(_ place: Place) throws(PlaceError) -> LivePlace {
        if place.existence == .lent(.process) { return nodeKernel }
        guard let found = entered.withLock({ $0[place.id] }) else {
            throw PlaceError(.other, "enter the place \(place.id)", hint: "its network namespace is gone")
        }
        return found
    }

    /// Remembers an entered place. An earlier entry stays valid only while the name stands for the same namespace.
    private func enter(_ place: Place, _ handle: NamespaceHandle) {
        entered.withLock { entered in
            if let before = entered[place.id], before.handle.isSame(as: handle) { return }
            let namespace = NetworkNamespace.descriptor(handle.descriptor)
            entered[place.id] = LivePlace(
                handle: handle, isProcess: false, ipvs: nil,
                backends: Dictionary(
                    uniqueKeysWithValues: RuleTool.allCases.map { ($0, $0.backend(in: namespace, cache: cache)) }))
        }
    }

    package func links(_ ends: [LinkEnd], in place: Place, others: [Place]) async throws -> [String: Reading<
        ObservedLink
    >] {
        try await live(place).links(
            ends, others: others.compactMap { place in (try? live(place)).map { (place.id, $0) } })
    }

    package func make(_ link: Link, in places: [PlaceID: Place]) async throws {
        var handles: [NamespaceHandle] = []
        for end in link.ends { handles.append(try live(places[end.id.place]!).handle) }
        let (near, far) = (link.ends[0], link.ends[1])
        let first = try live(places[near.id.place]!)
        let other = handles[1]
        try await first.asking("make the veth pair \(near.id) and \(far.id)") { () throws(NetlinkError) in
            try await first.routes.createPair(
                VethEnd(
                    name: near.id.name, hardwareAddress: near.hardwareAddress.bytes, group: LivePlace.group),
                VethEnd(
                    name: far.id.name, hardwareAddress: far.hardwareAddress.bytes, group: LivePlace.group,
                    namespace: other))
        }
    }

    package func setHairpin(_ isOn: Bool, of port: String) async throws { try await bridges.setHairpin(isOn, of: port) }

    package func forget(_ flows: [StaleFlows]) async throws {
        let own = Set(try NodeAddresses.read().map(\.address))
        _ = try await conntrack.delete(matching: flows.flatMap(\.filters)) { flow in
            // Flows that this node merely forwards to such a port elsewhere stay.
            let destination = flow.original.destination.address
            return destination.isLoopback || own.contains(destination)
        }
    }
}

extension StaleFlows {
    /// The filters that conntrack is given for these flows.
    fileprivate var filters: [FlowFilter] {
        let all = FlowFilter(
            protocol: binding.transport, originalDestination: binding.address,
            originalDestinationPorts: binding.ports)
        guard let tasks else { return [all] }
        return tasks.map { task in
            var filter = all
            filter.replySource = task
            return filter
        }
    }
}
