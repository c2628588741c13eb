import IPVSKit
import MeshKit
import RuleKit

/// The promises on which overlay networks rely: routes of other tables, neighbours, bridges, VXLAN and routing rules.
extension KernelContract {
    /// The pair between the places stands, down and without addresses, when these begin and when they end.
    mutating func routes() async throws {
        let (kernel, pair) = (kernel, pair)
        var (inner, outer) = (pair.ends[0], pair.ends[1])
        let place = try await kernel.open(far)
        let (first, second) = (RouteTable(0x6D01), RouteTable(0x6D02))
        let wanted = Route.byDefault(.ipv4, via: "10.77.7.1", table: first)
        let other = Route.byDefault(.ipv4, via: "10.77.7.1", table: second)
        await expectError("a route leads by an interface that is down") {
            try await place.change(.addRoute(wanted), of: "eth7")
        }
        try await raise(pair)
        await expectError("a route leads to a gateway that is on no network of the interface") {
            try await place.change(.addRoute(.byDefault(.ipv4, via: "10.99.9.9", table: first)), of: "eth7")
        }
        try await place.change(.addRoute(wanted), of: "eth7")
        // To add what is there is no error; only a default route of the main table is nobody's to replace.
        try await place.change(.addRoute(wanted), of: "eth7")
        try await place.change(.addRoute(other), of: "eth7")
        let main = Route.byDefault(.ipv4, via: "10.77.7.1")
        try await place.change(.addRoute(main), of: "eth7")
        await expectError("a second default route is added") { try await place.change(.addRoute(main), of: "eth7") }
        inner.routes = [wanted, main]
        var found = try await observe(inner, in: far, other: near).value
        let connected = Route(to: "10.77.7.0/24", source: "10.77.7.2")
        expect(found?.routes == [wanted, main, connected], "routes of a table are otherwise: \(found?.routes ?? [])")
        expect(found?.strayRoutes == [other], "what is stray is otherwise: \(found?.strayRoutes ?? [])")
        // The route to the interface's own network is none of the strays, even if the mesh has had to add it again.
        try await place.change(.addRoute(connected), of: "eth7")
        try await place.change(.removeRoute(other), of: "eth7")
        try await place.change(.removeRoute(other), of: "eth7")
        found = try await observe(inner, in: far, other: near).value
        expect(found?.routes == [wanted, main, connected], "routes of a table are otherwise: \(found?.routes ?? [])")
        expect(
            found?.strayRoutes == [], "a removed route, or that of the network, is stray: \(found?.strayRoutes ?? [])")

        // Somebody may remove the address that the kernel gives to each interface of IPv6.
        let linkLocal = InterfacePrefix("fe80::ff:fe00:702", length: 64)
        expect(found?.lacksLinkLocal == false, "an interface is up without its link-local address")
        try await place.change(.removeAddress(linkLocal), of: "eth7")
        found = try await observe(inner, in: far, other: near).value
        expect(found?.lacksLinkLocal == true, "a link-local address that was removed is there")
        for _ in 0..<2 { try await place.change(.restoreLinkLocal(linkLocal.address), of: "eth7") }
        found = try await observe(inner, in: far, other: near).value
        expect(found?.lacksLinkLocal == false, "a link-local address that was given back is not there")

        let home = Route(to: IPPrefix("::1"), table: .local)
        let here = try await kernel.open(near)
        outer.routes = [home]
        found = try await observe(outer, in: near, other: far).value
        expect(found?.routes.contains(home) == false, "the namespace's own address is the interface's")
        try await here.change(.addRoute(home), of: "out7")
        found = try await observe(outer, in: near, other: far).value
        expect(found?.routes.contains(home) == true, "a local route is not there: \(found?.routes ?? [])")
        try await here.change(.removeRoute(home), of: "out7")
        found = try await observe(outer, in: near, other: far).value
        expect(found?.routes.contains(home) == false, "a local route stays")

        // A route of the mesh is seen on an end that asks for none in particular.
        let forgotten = Route(to: "10.98.0.0/16", via: "10.77.7.2")
        try await here.change(.addRoute(forgotten), of: "out7")
        found = try await observe(outer, in: near, other: far).value
        expect(found?.strayRoutes == [forgotten], "what is stray is otherwise: \(found?.strayRoutes ?? [])")
        try await here.change(.removeRoute(forgotten), of: "out7")

        // An address that joins another one in its network ends with that one, and has no route of its own.
        let (primary, secondary) = (inner.addresses.first!, InterfacePrefix("10.77.7.77", length: 24))
        try await place.change(.addAddress(secondary), of: "eth7")
        found = try await observe(inner, in: far, other: near).value
        expect(found?.secondaryAddresses == [secondary], "secondary are \(found?.secondaryAddresses ?? [])")
        expect(found?.routes == [wanted, main, connected], "a second address brings routes: \(found?.routes ?? [])")
        // With the last address of IPv4 all routes of the family go, of all tables.
        try await place.change(.removeAddress(primary), of: "eth7")
        found = try await observe(inner, in: far, other: near).value
        expect(found?.addresses == [], "a secondary address is there without the primary one")
        // Whoever removes what has gone has nothing to do.
        try await place.change(.removeAddress(secondary), of: "eth7")
        expect(found?.routes == [], "routes stay without an address: \(found?.routes ?? [])")
        try await remake(pair)
    }

    mutating func neighbours() async throws {
        let pair = pair
        let inner = pair.ends[0]
        let place = try await kernel.open(far)
        try await raise(pair)
        let hardware = HardwareAddress([2, 0, 0, 0, 7, 9])
        for neighbour in ["10.77.7.1", "fd77::1"] as [IPAddress] {
            try await place.change(.putNeighbour(neighbour, pair.ends[1].hardwareAddress), of: "eth7")
            try await place.change(.putNeighbour(neighbour, hardware), of: "eth7")
        }
        var found = try await observe(inner, in: far, other: near).value
        expect(found?.neighbours == ["10.77.7.1": hardware, "fd77::1": hardware], "\(found?.neighbours ?? [:])")
        try await place.change(.removeNeighbour("10.77.7.1"), of: "eth7")
        try await place.change(.removeNeighbour("10.77.7.1"), of: "eth7")
        found = try await observe(inner, in: far, other: near).value
        expect(found?.neighbours == ["fd77::1": hardware], "a removed neighbour stays: \(found?.neighbours ?? [:])")
        try await place.change(.setMTU(1430), of: "eth7")
        found = try await observe(inner, in: far, other: near).value
        expect(found?.mtu == 1430, "the MTU is another: \(found?.mtu ?? 0)")
        try await remake(pair)
    }

    mutating func bridges() async throws {
        let (kernel, near) = (kernel, near)
        let places = [near.id: near]
        let here = try await kernel.open(near)
        let bridge = LinkEnd("br7", in: near.id, hardwareAddress: HardwareAddress([2, 0, 0, 0, 7, 3]))
        let port = pair.ends[1]
        let link = Link.single(.bridge, bridge, for: near.id, alias: "meshctl: contract")
        await expectError("an interface becomes a port of no bridge") {
            try await here.change(.joinBridge("br7"), of: "out7")
        }
        try await kernel.make(link, in: places)
        await expectError("a bridge is made twice") { try await kernel.make(link, in: places) }
        var found = try await observe(bridge, in: near, other: far).value
        expect(
            found?.kind == "bridge" && found?.isInOurGroup == true && found?.isUp == false
                && found?.hardwareAddress == bridge.hardwareAddress && found?.peer == .elsewhere,
            "a new bridge is otherwise: \(found.debugDescription)")
        await expectError("an interface is isolated that is no port") {
            try await here.change(.isolate(true), of: "out7")
        }
        try await here.change(.joinBridge("br7"), of: "out7")
        for isIsolated in [true, false, true] {
            try await here.change(.isolate(isIsolated), of: "out7")
            found = try await observe(port, in: near, other: far).value
            expect(
                found?.bridge == "br7" && found?.isIsolated == isIsolated,
                "a port is otherwise: \(found.debugDescription)")
        }
        try await here.change(.delete, of: "br7")
        found = try await observe(port, in: near, other: far).value
        expect(
            found != nil && found?.bridge == nil && found?.isIsolated == false,
            "without its bridge, a port is otherwise: \(found.debugDescription)")
    }

    mutating func tunnels() async throws {
        let (kernel, near, far) = (kernel, near, far)
        let places = [near.id: near, far.id: far]
        func link(_ name: String, in place: PlaceID, _ vxlan: VXLAN) -> Link {
            let end = LinkEnd(name, in: place, hardwareAddress: HardwareAddress([2, 0, 0, 0, 7, 4]))
            return .single(.vxlan(vxlan), end, for: place, alias: "meshctl: contract")
        }
        let settings = VXLAN(identifier: 7077, port: 47789, local: "127.0.0.1")
        let tunnel = link("vx7", in: near.id, settings)
        let end = tunnel.ends[0]
        let here = try await kernel.open(near)
        try await kernel.make(tunnel, in: places)
        let twice = link("vx8", in: far.id, settings)
        await expectError("an identifier is given twice") { try await kernel.make(twice, in: places) }
        var found = try await observe(end, in: near, other: far).value
        expect(
            found?.kind == "vxlan" && found?.vxlan == settings && found?.isInOurGroup == true
                && found?.forwarding == [:] && found?.neighbours == [:],
            "a new VXLAN interface is otherwise: \(found.debugDescription)")
        let (one, two) = (HardwareAddress([2, 0x42, 10, 255, 0, 4]), HardwareAddress([2, 0x42, 10, 255, 0, 5]))
        try await here.change(.putForwarding(one, "192.0.2.1"), of: "vx7")
        try await here.change(.putForwarding(two, "192.0.2.1"), of: "vx7")
        // A task that moves to another node.
        try await here.change(.putForwarding(two, "192.0.2.2"), of: "vx7")
        try await here.change(.putNeighbour("10.255.0.4", one), of: "vx7")
        found = try await observe(end, in: near, other: far).value
        expect(
            found?.forwarding == [one: "192.0.2.1", two: "192.0.2.2"] && found?.neighbours == ["10.255.0.4": one],
            "what a VXLAN interface knows is otherwise: \(found.debugDescription)")
        for _ in 0..<2 {
            try await here.change(.removeForwarding(one), of: "vx7")
            try await here.change(.removeNeighbour("10.255.0.4"), of: "vx7")
        }
        found = try await observe(end, in: near, other: far).value
        expect(
            found?.forwarding == [two: "192.0.2.2"] && found?.neighbours == [:],
            "what was removed stays: \(found.debugDescription)")
        try await here.change(.delete, of: "vx7")
        expect(try await observe(end, in: near, other: far) == .absent, "a deleted VXLAN interface is there")
        // The identifier is free again, also of IPv6 and without a choice of address.
        for local in ["::1", nil] as [IPAddress?] {
            let settings = VXLAN(identifier: 7077, port: 47789, local: local)
            let tunnel = link("vx7", in: near.id, settings)
            try await kernel.make(tunnel, in: places)
            found = try await observe(tunnel.ends[0], in: near, other: far).value
            expect(found?.vxlan == settings, "other settings: \(found.debugDescription)")
            try await here.change(.delete, of: "vx7")
        }
    }

    mutating func routingRules() async throws {
        let place = try await kernel.open(far)
        let rules: Set = [
            RoutingRule(.ipv4, mark: 0x6D01, table: RouteTable(0x6D01)),
            RoutingRule(.ipv6, mark: 0x6D01, table: RouteTable(0x6D01)),
            RoutingRule(.ipv4, mark: 0x6D02, table: RouteTable(0x6D02)),
        ]
        expect(try await place.routingRules().isEmpty, "a new namespace has routing rules of the mesh")
        for rule in rules.sorted() { try await place.set(rule, true) }
        expect(try await place.routingRules() == rules, "routing rules are otherwise")
        await expectError("a routing rule is added twice") { try await place.set(rules.min()!, true) }
        for rule in rules.sorted() {
            try await place.set(rule, false)
            try await place.set(rule, false)
        }
        expect(try await place.routingRules().isEmpty, "routing rules stay")
    }

    /// Gives both ends of the pair their addresses, and raises them.
    private func raise(_ pair: Link) async throws {
        for (end, place) in zip(pair.ends, [far, near]) {
            let here = try await kernel.open(place)
            for address in end.addresses { try await here.change(.addAddress(address), of: end.id.name) }
            try await here.change(.raise, of: end.id.name)
        }
    }

    private func remake(_ pair: Link) async throws {
        try await kernel.open(far).change(.delete, of: pair.ends[0].id.name)
        try await kernel.make(pair, in: [near.id: near, far.id: far])
    }
}
