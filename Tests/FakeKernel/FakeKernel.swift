package import IPVSKit
package import MeshKit
import Netlink
import RuleKit
import SystemPackage

/// A kernel of several network namespaces in memory, which refuses what the kernel refuses.
package final class FakeKernel: MeshKernel {
    package struct State: Sendable {
        /// By name; the node's own is `node`.
        package var namespaces: [String: FakeNamespace] = ["node": FakeNamespace()]
        package var facts = NodeFacts()
        package var identity = NamespaceIdentity(bootID: "b007", inode: 4711, cookie: 1)
        package var time: UInt64 = 1_000_000_000
        package var nextIndex: Int32 = 2
        /// Whether the host lets nobody make a veth pair.
        package var refusesLinks = false
        /// Connections that still move data.
        package var connections: [RetiringDestination: Int] = [:]
        /// Connections of programs, by the namespace and the address and port of the program.
        package var servedConnections: [String: [Destination.ID: Int]] = [:]
        package var whereabouts: String?
        /// Who else needs forwarding.
        package var routers: Set<String> = []
        /// The networks that the node has apart from the mesh.
        package var hostNetworks = HostNetworks(prefixes: ["192.168.5.0/24": "up0", "10.0.0.0/24": "br0"])
        /// The tasks' namespaces by path.
        package var tasks: [String: TaskFacts] = [:]
    }

    package let gate: Gate
    /// Hears nothing: nobody sends messages about namespaces in memory.
    package let listener = KernelListener()
    let state: Locked<State>

    package init(gate: Gate = Gate()) {
        self.gate = gate
        var first = State()
        first.facts.addresses = [
            InterfaceAddress(address: "127.0.0.1", prefixLength: 8, interface: "lo"),
            InterfaceAddress(address: "192.168.5.1", prefixLength: 24, interface: "up0"),
            InterfaceAddress(address: "10.0.0.1", prefixLength: 24, interface: "br0"),
            InterfaceAddress(address: "fd05::1", prefixLength: 64, interface: "up0"),
        ]
        for name in ["up0", "br0"] {
            var there = FakeNamespace.Interface(
                index: first.nextIndex, kind: name == "br0" ? "bridge" : nil,
                hardwareAddress: HardwareAddress([2, 0, 0, 0, 0, UInt8(first.nextIndex)]))
            there.isUp = true
            first.namespaces["node"]!.interfaces[name] = there
            first.namespaces["node"]!.add(settingsOf: name)
            first.nextIndex += 1
        }
        state = Locked(first)
    }

    /// Reads or changes what the kernel holds, as somebody else would: without passing the gate.
    package func withState<Value>(_ body: (inout State) -> Value) -> Value { state.withLock(body) }

    func operation(_ words: String) throws {
        if let errno = try gate.refusal(of: words) { throw PlaceError(words, errno) }
    }

    func look(at words: String) throws {
        if let errno = try gate.look(at: words) { throw PlaceError("look at \(words)", errno) }
    }

    // MARK: The node

    package func identity() throws -> NamespaceIdentity {
        try gate.look()
        return withState(\.identity)
    }

    package func whereabouts(of namespace: NamespaceIdentity) async throws -> String? {
        try look(at: "the namespace of the ledger")
        return withState(\.whereabouts)
    }

    package func now() -> BootTime {
        withState { state in
            state.time += 1000
            return BootTime(nanoseconds: state.time)
        }
    }

    package func nodeFacts(readsInterfaces: Bool) async throws -> NodeFacts {
        try gate.look()
        return withState { state in
            var facts = state.facts
            if readsInterfaces {
                facts.outwardInterfaces = Set(
                    state.namespaces["node"]!.interfaces.filter { $0.value.kind == nil }.map(\.key))
            }
            return facts
        }
    }

    package func waitForRelease(of ports: Set<HeldPort>, byAgentOf folder: String) async {}
    package func routes(to addresses: Set<IPAddress>) async throws -> [IPAddress: RoutedNetwork] { [:] }

    package func routers(_ family: AddressFamily) async -> Routers {
        var routers = Routers()
        routers.found = withState(\.routers)
        do { try look(at: "who needs forwarding") } catch {
            routers.unreadable = ["an interface that could not be read"]
        }
        return routers
    }

    package func mtu(to addresses: Set<IPAddress>) async throws -> UInt32? { withState(\.facts.underlayMTU) }

    package func filtersForwards() async -> Reading<Bool> {
        do { try look(at: "whether iptables filters") } catch { return .unreadable("\(error)") }
        return withState(\.facts.filtersForwards)
    }

    package func hasZones() async -> Bool? {
        do { try look(at: "the zones") } catch { return nil }
        return withState(\.facts.hasZones) ?? false
    }

    package func bestTool() async -> RuleTool { .nftables }

    package func setHairpin(_ isOn: Bool, of port: String) async throws {
        try operation("set hairpin of \(port)")
        withState { state in
            guard var bridges = state.facts.bridgePorts.value else { return }
            for bridge in bridges.keys where bridges[bridge]![port] != nil { bridges[bridge]![port] = isOn }
            state.facts.bridgePorts = .known(bridges)
        }
    }

    package func traces() async throws -> Traces {
        try gate.look()
        return withState { state in
            var traces = Traces()
            for (name, namespace) in state.namespaces.sorted(by: { $0.key < $1.key }) {
                var trace = Trace(name == "node" ? .node : state.tasks[name] == nil ? .name(name) : .file(name))
                trace.links = Set(namespace.interfaces.filter(\.value.isInOurGroup).keys)
                if trace.links.isEmpty, namespace.routingRules.isEmpty, trace.location != .node {
                    if case .name = trace.location, namespace.interfaces.isEmpty { traces.bare.append(name) }
                    continue
                }
                trace.owners = namespace.rules.compactMapValues(\.owner)
                traces.found.append(trace)
            }
            return traces
        }
    }

    // MARK: Places

    /// Nothing is open.
    package func release() {}
    package func keepNotes() {}

    private static func name(_ place: Place) -> String {
        switch place.existence {
        case .own(let name): name
        case .lent(.process): "node"
        case .lent(.file(let path, _)): path
        }
    }

    package func enter(_ place: Place) async -> Reading<ObservedPlace.Existence> {
        if gate.isDead { return .unreadable("the process is dead") }
        return withState { state in
            if case .lent(.file(let path, let inode?)) = place.existence, state.tasks[path]?.inode != inode {
                return .absent
            }
            return state.namespaces[Self.name(place)] == nil ? .absent : .known(.namespace)
        }
    }

    package func make(_ place: Place) async throws {
        let name = Self.name(place)
        try operation("make the namespace \(name)")
        guard withState({ $0.namespaces[name] == nil }) else {
            throw PlaceError("make the namespace \(name)", .fileExists)
        }
        withState { $0.namespaces[name] = FakeNamespace() }
    }

    package func remove(_ place: Place) async throws {
        let name = Self.name(place)
        try operation("remove the namespace \(name)")
        withState { $0.deleteNamespace(name) }
    }

    package func open(_ place: Place) async throws -> any PlaceKernel {
        try gate.look()
        let name = Self.name(place)
        guard withState({ $0.namespaces[name] != nil }) else {
            throw PlaceError("enter the namespace \(name)", .noSuchFileOrDirectory)
        }
        return FakePlace(kernel: self, name: name)
    }

    /// The namespace by whose network a VXLAN interface sends: that of the socket which asked for the interface.
    private static let birthplace = "node"

    package func make(_ link: Link, in places: [PlaceID: Place]) async throws {
        let words = "make the \(link.kind) \(link.ends.map { "\($0.id)" }.joined(separator: " and "))"
        try operation(words)
        if withState(\.refusesLinks) { throw PlaceError(words, .notSupportedOnSocket) }
        let names = link.ends.map { Self.name(places[$0.id.place]!) }
        let errno: Errno? = withState { state in
            for (end, name) in zip(link.ends, names) {
                guard let namespace = state.namespaces[name] else { return .noSuchFileOrDirectory }
                if namespace.interfaces[end.id.name] != nil { return .fileExists }
            }
            if case .vxlan(let settings) = link.kind, state.has(settings, bornIn: Self.birthplace) {
                return .fileExists
            }
            for (index, end) in link.ends.enumerated() {
                var made = FakeNamespace.Interface(
                    index: state.nextIndex, kind: link.kind.description, hardwareAddress: end.hardwareAddress)
                made.isInOurGroup = true
                if link.ends.count == 2 { made.peer = (names[1 - index], link.ends[1 - index].id.name) }
                if case .vxlan(let settings) = link.kind {
                    made.vxlan = settings
                    made.birthplace = Self.birthplace
                }
                state.namespaces[names[index]]!.interfaces[end.id.name] = made
                state.namespaces[names[index]]!.add(settingsOf: end.id.name)
                state.nextIndex += 1
            }
            return nil
        }
        if let errno { throw PlaceError(words, errno) }
    }

    package func links(
        _ ends: [LinkEnd], in place: Place, others: [Place]
    ) async throws -> [String: Reading<ObservedLink>] {
        try gate.look()
        let places = Dictionary(uniqueKeysWithValues: others.map { (Self.name($0), $0) })
        return withState { state in
            Dictionary(
                uniqueKeysWithValues: ends.map { end in
                    guard let there = state.namespaces[Self.name(place)]?.interfaces[end.id.name] else {
                        return (end.id.name, .absent)
                    }
                    var found = ObservedLink(index: there.index)
                    found.kind = there.kind
                    found.alias = there.alias
                    found.isInOurGroup = there.isInOurGroup
                    found.hardwareAddress = there.hardwareAddress
                    found.isUp = there.isUp
                    if let peer = there.peer, let place = places[peer.namespace],
                        let other = state.namespaces[peer.namespace]?.interfaces[peer.name]
                    {
                        found.peer = .place(place.id, index: other.index)
                        if case .own = place.existence { found.leadsIntoOwnPlace = true }
                    }
                    found.addresses = there.addresses
                    found.lacksLinkLocal = there.isUp && there.lacksLinkLocal
                    found.secondaryAddresses = there.secondaryAddresses
                    let wanted = end.routes.union(end.connectedRoutes)
                    found.routes = there.routes.intersection(wanted)
                    found.strayRoutes = there.routes.intersection(there.ours).subtracting(wanted)
                    found.vxlan = there.vxlan
                    found.forwarding = there.forwarding
                    found.bridge = there.bridge
                    found.isIsolated = there.isIsolated
                    found.mtu = there.mtu
                    found.neighbours = there.neighbours
                    found.reached = end.reaches.filter { address in
                        there.routes.contains { $0.destination.contains(address) }
                    }
                    return (end.id.name, .known(found))
                })
        }
    }
}

extension FakeKernel.State {
    /// Deletes an interface, and its other end with it. The ports of a bridge stay, as interfaces of their own.
    package mutating func delete(_ interface: String, in namespace: String) {
        guard let gone = namespaces[namespace]?.interfaces.removeValue(forKey: interface) else { return }
        namespaces[namespace]!.remove(settingsOf: interface)
        for (name, port) in namespaces[namespace]!.interfaces where port.bridge == interface {
            namespaces[namespace]!.interfaces[name]!.bridge = nil
            namespaces[namespace]!.interfaces[name]!.isIsolated = false
        }
        if let peer = gone.peer { delete(peer.name, in: peer.namespace) }
    }

    /// Deletes a namespace with its interfaces, and the VXLAN interfaces that were born in it, wherever they are.
    package mutating func deleteNamespace(_ name: String) {
        for interface in namespaces[name]?.interfaces.keys ?? [:].keys { delete(interface, in: name) }
        namespaces[name] = nil
        for (other, namespace) in namespaces {
            for (interface, there) in namespace.interfaces where there.birthplace == name {
                delete(interface, in: other)
            }
        }
    }

    /// Whether there is a VXLAN interface with which packets of another could be confused.
    fileprivate func has(_ vxlan: VXLAN, bornIn birthplace: String) -> Bool {
        namespaces.values.lazy.flatMap(\.interfaces.values).contains { there in
            there.birthplace == birthplace && there.vxlan?.identifier == vxlan.identifier
                && there.vxlan?.port == vxlan.port && there.vxlan?.local?.family == vxlan.local?.family
        }
    }
}
