import IPVSKit
package import MeshKit
import RuleKit
import SystemPackage

/// What a pass relies on of a kernel, checked alike on the fake and on the real one. It works in two namespaces of its own,
/// which it leaves as it found them: not there.
package struct KernelContract {
    let kernel: any MeshKernel
    private let tools: [RuleTool]
    /// What was found to be otherwise.
    package private(set) var faults: [String] = []

    let near = Place(id: PlaceID(rawValue: "near"), existence: .own(name: "mesh-contract-near"), rank: 1)
    let far = Place(id: PlaceID(rawValue: "far"), existence: .own(name: "mesh-contract-far"), rank: 2)

    /// - Parameter tools: those that the kernel has.
    package init(_ kernel: any MeshKernel, tools: [RuleTool]) {
        self.kernel = kernel
        self.tools = tools
    }

    package mutating func check() async throws {
        try await namespaces()
        try await settings()
        try await links()
        try await routes()
        try await neighbours()
        try await bridges()
        try await tunnels()
        try await routingRules()
        for tool in tools { try await rules(by: tool) }
        try await services()
        try await removal()
    }

    mutating func expect(_ isTrue: Bool, _ words: String) { if !isTrue { faults.append(words) } }

    mutating func expectError(_ words: String, _ body: () async throws -> Void) async {
        do {
            try await body()
            faults.append("\(words): it was done")
        } catch {}
    }

    private mutating func namespaces() async throws {
        let kernel = kernel
        let near = near
        for place in [near, far] {
            expect(await kernel.enter(place) == .absent, "\(place.id) is there before it is made")
            try await kernel.make(place)
            expect(await kernel.enter(place) == .known(.namespace), "\(place.id) is not there once made")
        }
        await expectError("a name is given twice") { try await kernel.make(near) }
        do {
            _ = try await kernel.taskFacts(at: "/run/netns/mesh-contract-none")
            faults.append("a task's namespace is there that nobody made")
        } catch {
            expect(error is InputError, "a task's namespace that is not there is no fault of the input: \(error)")
        }
        expect(
            try await !kernel.hostNetworks().prefixes.keys.contains { $0.length == 0 },
            "the default route is a network of the host")
        expect(try kernel.identity() == kernel.identity(), "the node is another one each time")
        expect(kernel.now() < kernel.now(), "time stands still")
    }

    private mutating func settings() async throws {
        let place = try await kernel.open(near)
        let missing = Sysctl(rawValue: "net/ipv4/no_such_setting")
        let (all, redirects) = (Sysctl.ipv4Forwarding, Sysctl.acceptRedirects)
        let (fresh, loopback) = (
            Sysctl(rawValue: "net/ipv4/conf/default/forwarding"), Sysctl(rawValue: "net/ipv4/conf/lo/forwarding")
        )
        func read() async -> [Sysctl: Reading<String>] { await place.read([missing, all, redirects, fresh, loopback]) }
        // What a new namespace has may come from the node's.
        try await place.write("0", to: all)
        try await place.write("1", to: redirects)
        try await place.write("0", to: fresh)
        try await place.write("0", to: loopback)
        var found = await read()
        expect(found[missing] == .absent, "a setting is there that no kernel has: \(found[missing].debugDescription)")
        expect(found[all] == .known("0") && found[loopback] == .known("0"), "what was written is not there")
        try await place.write("1", to: all)
        found = await read()
        expect(
            found[fresh] == .known("1") && found[loopback] == .known("1") && found[redirects] == .known("0"),
            "forwarding for all is not copied to each interface, or redirects stay: \(found)")
        // To write what is there changes nothing else.
        try await place.write("0", to: loopback)
        try await place.write("1", to: all)
        found = await read()
        expect(found[loopback] == .known("0"), "a value that was there already is copied again")
        do throws(SysctlError) {
            try await place.write("1", to: missing)
            faults.append("a setting is written that no kernel has")
        } catch {
            expect(error.errno == .noSuchFileOrDirectory, "a missing setting is refused with \(error.errno)")
        }
        guard case .known(let names) = await place.interfaces(with: .ipv4) else {
            faults.append("the interfaces cannot be listed")
            return
        }
        expect(names.isSuperset(of: ["all", "default", "lo"]), "interfaces are missing: \(names.sorted())")
    }

    var pair: Link {
        var (inner, outer) = (
            LinkEnd("eth7", in: far.id, hardwareAddress: HardwareAddress([2, 0, 0, 0, 7, 2])),
            LinkEnd("out7", in: near.id, hardwareAddress: HardwareAddress([2, 0, 0, 0, 7, 1]))
        )
        inner.addresses = [InterfacePrefix("10.77.7.2", length: 24)]
        inner.routes = [Route(to: "10.78.0.0/16", via: "10.77.7.1")]
        inner.neighbours = ["10.77.7.1": outer.hardwareAddress]
        inner.reaches = ["10.77.7.1"]
        outer.addresses = [InterfacePrefix("10.77.7.1", length: 24)]
        return .pair(inner, outer, for: far.id, alias: "meshctl: contract")
    }

    func observe(_ end: LinkEnd, in place: Place, other: Place) async throws -> Reading<ObservedLink> {
        try await kernel.links([end], in: place, others: [other])[end.id.name] ?? .absent
    }

    private mutating func links() async throws {
        let (kernel, pair) = (kernel, pair)
        let (inner, outer) = (pair.ends[0], pair.ends[1])
        let places = [near.id: near, far.id: far]
        expect(try await observe(inner, in: far, other: near) == .absent, "an interface is there before it is made")
        var traces = try await kernel.traces()
        expect(
            Set(traces.bare).isSuperset(of: ["mesh-contract-far", "mesh-contract-near"]),
            "new namespaces are not found as empty ones: \(traces)")
        try await kernel.make(pair, in: places)
        traces = try await kernel.traces()
        for (name, interface) in [("mesh-contract-far", "eth7"), ("mesh-contract-near", "out7")] {
            expect(
                traces.found.contains { $0.location == .name(name) && $0.links == [interface] && $0.owners.isEmpty },
                "a new interface of the mesh is not found in \(name): \(traces)")
        }
        await expectError("a link is made twice") { try await kernel.make(pair, in: places) }
        guard case .known(let made) = try await observe(inner, in: far, other: near),
            case .known(let peer) = try await observe(outer, in: near, other: far)
        else {
            faults.append("an interface is not there once made")
            return
        }
        expect(made.kind == "veth" && made.isInOurGroup && !made.isUp, "a new interface is otherwise: \(made)")
        expect(made.hardwareAddress == inner.hardwareAddress, "it has another hardware address: \(made)")
        expect(
            made.peer == .place(near.id, index: peer.index) && peer.peer == .place(far.id, index: made.index),
            "the ends do not lead to each other: \(made.peer), \(peer.peer)")
        let place = try await kernel.open(far)
        let address = inner.addresses.first!
        try await place.change(.setAlias(pair.alias), of: "eth7")
        try await place.change(.addAddress(address), of: "eth7")
        await expectError("an address is given twice") { try await place.change(.addAddress(address), of: "eth7") }
        try await place.change(.raise, of: "eth7")
        try await kernel.open(near).change(.raise, of: "out7")
        try await place.change(.putNeighbour("10.77.7.1", outer.hardwareAddress), of: "eth7")
        try await place.change(.addRoute(inner.routes.first!), of: "eth7")
        if case .known(let raised) = try await observe(inner, in: far, other: near) {
            expect(raised.alias == pair.alias && raised.isUp && raised.addresses == inner.addresses, "\(raised)")
            expect(
                raised.routes == inner.routes.union([Route(to: "10.77.7.0/24", source: "10.77.7.2")]),
                "\(raised.routes)")
            expect(raised.neighbours == inner.neighbours && raised.reached == inner.reaches, "\(raised)")
        } else {
            faults.append("an interface is gone once raised")
        }
        try await place.change(.removeAddress(address), of: "eth7")
        if case .known(let bare) = try await observe(inner, in: far, other: near) {
            expect(bare.addresses.isEmpty && bare.routes.isEmpty, "without its address it has routes: \(bare)")
        }
        try await place.change(.delete, of: "eth7")
        expect(try await observe(outer, in: near, other: far) == .absent, "the other end stays")
        // What is gone need not be deleted, and cannot be changed.
        try await place.change(.delete, of: "eth7")
        await expectError("an interface that is not there is raised") { try await place.change(.raise, of: "eth7") }
        try await kernel.make(pair, in: places)
    }

    private mutating func rules(by tool: RuleTool) async throws {
        let backend = try await kernel.open(near).rules(by: tool)
        var rules = RuleSet()
        rules.ports[PortBinding(1080, .tcp)] = PortRule(mark: 0x100)
        rules.ports[PortBinding(2000...2009, .tcp)] = PortRule(mark: 0x101, allowed: ["10.0.0.0/8"])
        rules.tasks = ["10.0.0.2", "fd00::2"]
        rules.masqueraded = [BalancedPath(0x100, to: "10.0.0.2")]
        rules.owner = RuleOwner(id: "00ff", folder: "/contract")
        let rendered = backend.render(rules)
        var found = try await backend.read(expecting: rules.role)
        expect(found.skeleton == .absent && found.owner == nil, "\(tool): rules are there before: \(found)")
        try await backend.apply(rendered.changes(from: found).additions)
        found = try await backend.read(expecting: rules.role)
        expect(
            found.skeleton == .intact && found.elements == rendered.elements,
            "\(tool): what is read is otherwise: \(found)")
        expect(found.owner == rules.owner, "\(tool): the rules do not say whose they are")
        expect(try await backend.owner() == rules.owner, "\(tool): nor when asked for that alone")
        rules.ports[PortBinding(2000...2009, .tcp)] = nil
        let (additions, removals) = backend.render(rules).changes(from: found)
        try await backend.apply(additions)
        try await backend.apply(removals)
        found = try await backend.read(expecting: rules.role)
        expect(
            found.elements == backend.render(rules).elements,
            "\(tool): a port that went left elements: \(found.elements)")
        try await backend.apply([.uninstall])
        found = try await backend.read(expecting: rules.role)
        expect(
            found.skeleton == .absent && found.elements.isEmpty && found.owner == nil, "\(tool): rules stay: \(found)")
    }

    private mutating func services() async throws {
        let ipvs = try await kernel.open(near).ipvs
        let id = VirtualService.ID.firewallMark(0x100, .ipv4)
        try await ipvs.create(VirtualService(id: id))
        let table = try await kernel.open(near).ipvs.table()
        expect(table.entries[id] != nil, "a service is not there once made")
        expect(try await kernel.open(far).ipvs.table().entries.isEmpty, "a service is there in another namespace")
        try await ipvs.delete(id)
    }

    private mutating func removal() async throws {
        try await kernel.remove(far)
        expect(await kernel.enter(far) == .absent, "a namespace is there once removed")
        // The kernel takes a namespace down a moment after its last name.
        var isThere = true
        for _ in 0..<200 where isThere {
            isThere = try await observe(pair.ends[1], in: near, other: far) != .absent
            if isThere { try await Task.sleep(for: .milliseconds(20)) }
        }
        expect(!isThere, "an interface stays whose other end went with its namespace")
        try await kernel.remove(near)
        expect(await kernel.enter(near) == .absent, "a namespace is there once removed")
        // There is nothing to remove, and it is no error.
        try await kernel.remove(near)
    }
}
