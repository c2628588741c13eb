import IPVSKit
import Netlink
import RuleKit

/// Reads the interfaces of one namespace as ends of the mesh's links. Each list is read at most once.
struct LinkReader {
    private let routes: RouteClient
    /// A client whose lists the kernel filters.
    private let filteredRoutes: RouteClient
    /// The places that may contain other ends, by the numbers that their namespaces have in this one.
    var places: [Int32: Place] = [:]
    private var byName: [String: NetworkLink]?
    private var names: [Int32: String] = [:]
    private var addresses: [Int32: Addresses]?
    private var allRoutes: [NetworkRoute]?
    private var ownRoutes: [NetworkRoute]?

    /// The addresses of one interface.
    private struct Addresses {
        var all: Set<InterfacePrefix> = []
        var secondary: Set<InterfacePrefix> = []
        /// Of IPv6. IPv4 link-local addresses are like any others.
        var hasLinkLocal = false
    }

    init(routes: RouteClient, filteredRoutes: RouteClient) {
        self.routes = routes
        self.filteredRoutes = filteredRoutes
    }

    /// Reads all interfaces of the namespace at once.
    mutating func readAll() async throws(NetlinkError) {
        let links = try await routes.links()
        byName = Dictionary(links.map { ($0.name, $0) }) { first, _ in first }
        names = Dictionary(links.map { ($0.index, $0.name) }) { first, _ in first }
    }

    mutating func link(named name: String) async throws(NetlinkError) -> NetworkLink? {
        if let byName { return byName[name] }
        let link = try await routes.link(named: name)
        if let link { names[link.index] = name }
        return link
    }

    private mutating func name(of index: Int32) async throws(NetlinkError) -> String? {
        if names[index] == nil, byName == nil { try await readAll() }
        return names[index]
    }

    mutating func observe(_ link: NetworkLink, as end: LinkEnd) async throws(NetlinkError) -> ObservedLink {
        var found = ObservedLink(index: link.index)
        found.kind = link.kind
        found.alias = link.alias
        found.isInOurGroup = link.group == LivePlace.group
        found.hardwareAddress = link.hardwareAddress.isEmpty ? nil : HardwareAddress(link.hardwareAddress)
        found.isUp = link.flags.contains(.up)
        found.mtu = link.mtu
        found.isIsolated = link.isIsolated
        found.vxlan = link.vxlan.flatMap(VXLAN.init)
        if let number = link.peerNamespace, let place = places[number], let peer = link.peer {
            found.peer = .place(place.id, index: peer)
            if case .own = place.existence { found.leadsIntoOwnPlace = true }
        }
        // Addresses and routes of other programs' interfaces do not concern the mesh.
        guard found.isOurs else { return found }
        if let master = link.master { found.bridge = try await name(of: master) }
        let addresses = try await addresses(of: link.index)
        (found.addresses, found.secondaryAddresses) = (addresses.all, addresses.secondary)
        found.lacksLinkLocal = link.flags.contains(.running) && !addresses.hasLinkLocal
        try await readRoutes(of: link.index, as: end, into: &found)
        if !end.neighbours.isEmpty || found.vxlan != nil {
            for (address, hardware) in try await routes.permanentNeighbours(of: link.index) {
                guard let address = IPAddress(bytes: address) else { continue }
                found.neighbours[address] = HardwareAddress(hardware)
            }
        }
        if found.vxlan != nil {
            for (hardware, node) in try await routes.forwarding(of: link.index) {
                found.forwarding[HardwareAddress(hardware)] = IPAddress(bytes: node)
            }
        }
        for address in end.reaches where try await routes.route(to: address.bytes)?.interface == link.index {
            found.reached.insert(address)
        }
        return found
    }

    private mutating func addresses(of index: Int32) async throws(NetlinkError) -> Addresses {
        if addresses == nil {
            var all: [Int32: Addresses] = [:]
            for address in try await routes.addresses() {
                guard let own = IPAddress(bytes: address.address) else { continue }
                guard own.family == .ipv4 || !own.isLinkLocal else {
                    all[address.interface, default: Addresses()].hasLinkLocal = true
                    continue
                }
                let prefix = InterfacePrefix(own, length: address.prefixLength, isDeprecated: address.isDeprecated)
                all[address.interface, default: Addresses()].all.insert(prefix)
                if address.isSecondary { all[address.interface]!.secondary.insert(prefix) }
            }
            addresses = all
        }
        return addresses?[index] ?? Addresses()
    }

    /// Each route to a network is looked up as a packet would look it up, instead of listing all: a host may have a
    /// million routes. A route of another table, or to everything, is found in the list only.
    private mutating func readRoutes(
        of index: Int32, as end: LinkEnd, into found: inout ObservedLink
    ) async throws(NetlinkError) {
        let isListed = end.routes.contains(where: \.isListed)
        for route in end.routes.union(end.connectedRoutes) where !route.isListed {
            guard let probe = end.probe(for: route),
                let entry = try await routes.route(to: probe.bytes, by: route.table == .local ? index : nil),
                entry.interface == index, entry.prefixLength == route.destination.length,
                entry.gateway == route.gateway?.bytes, entry.source == route.source?.bytes,
                entry.isLocal == (route.table == .local)
            else { continue }
            found.routes.insert(route)
        }
        if isListed {
            if allRoutes == nil { allRoutes = try await routes.routes() }
            found.routes.formUnion(end.routes.intersection((allRoutes ?? []).through(index)))
        }
        if ownRoutes == nil { ownRoutes = try await filteredRoutes.routes(of: LivePlace.origin) }
        // The mesh itself may have had to add the route to the interface's own network again.
        found.strayRoutes = Set((ownRoutes ?? []).through(index)).subtracting(end.routes)
            .subtracting(end.connectedRoutes)
    }
}

extension [NetworkRoute] {
    /// The routes through an interface.
    fileprivate func through(_ index: Int32) -> [Route] { filter { $0.interface == index }.compactMap(Route.init) }
}

extension VXLAN {
    /// Nil for settings that the mesh never chooses.
    init?(_ settings: VXLANSettings) {
        guard !settings.learns, settings.answersForNeighbours else { return nil }
        self.init(
            identifier: settings.identifier, port: settings.port, local: settings.local.flatMap(IPAddress.init(bytes:)))
    }
}

extension Route {
    /// Whether the route is found in the list of all routes only.
    fileprivate var isListed: Bool { table != .main && table != .local || destination.length == 0 }

    /// Nil for a route that is none of an interface's, such as the namespace's own addresses.
    fileprivate init?(_ route: NetworkRoute) {
        guard let family = AddressFamily(rawValue: UInt16(route.family)) else { return nil }
        let network =
            route.destination.isEmpty ? IPPrefix.everywhere(family).address : IPAddress(bytes: route.destination)
        guard let network else { return nil }
        self.init(
            to: IPPrefix(network, length: route.prefixLength), via: route.gateway.flatMap(IPAddress.init(bytes:)),
            source: route.source.flatMap(IPAddress.init(bytes:)), table: RouteTable(route.table))
    }
}

extension NewRoute {
    init(_ route: Route) {
        self.init(
            to: route.destination.address.bytes, prefixLength: route.destination.length, via: route.gateway?.bytes,
            source: route.source?.bytes, table: route.table.number, isLocal: route.table == .local)
    }
}

extension LinkEnd {
    /// An address to which a route leads, and which is none of the interface's own: the kernel finds its own addresses
    /// in another table.
    fileprivate func probe(for route: Route) -> IPAddress? {
        let own = Set(addresses.map(\.address))
        return route.destination.firstAddresses.first { !own.contains($0) }
    }
}

extension IPPrefix {
    /// The first addresses of the network that a host can have; for a single address, the address itself.
    fileprivate var firstAddresses: [IPAddress] {
        switch address.storage {
        case .ipv4(let number): length == 32 ? [address] : (1...3).map { IPAddress(ipv4: number + $0) }
        case .ipv6(let number): length == 128 ? [address] : (1...3).map { IPAddress(ipv6: number + $0) }
        }
    }
}
