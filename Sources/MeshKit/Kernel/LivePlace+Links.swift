import IPVSKit
import Netlink
import RuleKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension LivePlace {
    func links(_ ends: [LinkEnd], others: [(PlaceID, LivePlace)]) async throws -> [String: Reading<ObservedLink>] {
        try await asking("look at the interfaces") { () throws(NetlinkError) in
            var found: [String: Reading<ObservedLink>] = [:]
            var links: [(LinkEnd, NetworkLink)] = []
            for end in ends {
                found[end.id.name] = .absent
                if let link = try await routes.link(named: end.id.name) { links.append((end, link)) }
            }
            // Another namespace gets its number in this one when an interface that leads there is first read.
            var places: [Int32: PlaceID] = [:]
            for (place, other) in others where !links.isEmpty {
                let number = try await routes.number(of: other.handle)
                if number >= 0 { places[number] = place }
            }
            for (end, link) in links {
                found[end.id.name] = .known(try await observe(link, as: end, places))
            }
            return found
        }
    }

    private func observe(
        _ link: NetworkLink, as end: LinkEnd, _ places: [Int32: PlaceID]
    ) async throws(NetlinkError) -> ObservedLink {
        var found = ObservedLink(index: link.index)
        found.kind = link.kind
        found.alias = link.alias
        found.isInOurGroup = link.group == Self.group
        found.hardwareAddress = link.hardwareAddress.isEmpty ? nil : HardwareAddress(link.hardwareAddress)
        found.isUp = link.flags.contains(.up)
        if let number = link.peerNamespace, let place = places[number], let peer = link.peer {
            found.peer = .place(place, index: peer)
        }
        // Addresses and routes of other programs' interfaces do not concern the mesh.
        guard found.isOurs else { return found }
        for address in try await routes.addresses() where address.interface == link.index {
            guard let own = IPAddress(bytes: address.address), !(own.family == .ipv6 && own.isLinkLocal) else {
                continue
            }
            found.addresses.insert(InterfacePrefix(own, length: address.prefixLength))
        }
        // Each route is looked up as a packet would look it up, instead of listing all: a host may have a million
        // routes.
        for route in end.routes.union(end.addresses.map(\.connectedRoute)) {
            guard let probe = end.probe(for: route), let entry = try await routes.route(to: probe.bytes),
                entry.interface == link.index, entry.prefixLength == route.destination.length,
                entry.gateway == route.gateway?.bytes, entry.source == route.source?.bytes
            else { continue }
            found.routes.insert(route)
        }
        if !end.neighbours.isEmpty {
            for (address, hardware) in try await routes.permanentNeighbours(of: link.index) {
                guard let address = IPAddress(bytes: address) else { continue }
                found.neighbours[address] = HardwareAddress(hardware)
            }
        }
        for address in end.reaches where try await routes.route(to: address.bytes)?.interface == link.index {
            found.reached.insert(address)
        }
        return found
    }

    func claimant(of end: LinkEnd) async throws -> String? {
        try await asking("look for who uses the addresses of \(end.id)") { () throws(NetlinkError) in
            for claim in end.claims {
                // The addresses of the ends are checked before those of the network, because a finding about them makes
                // the clearer message.
                for address in end.reaches.union(end.addresses.map(\.address)).sorted() + claim.ends {
                    guard let route = try await routes.route(to: address.bytes),
                        route.prefixLength > claim.widestForeignLength
                    else { continue }
                    let interface = try await routes.links().first { $0.index == route.interface }?.name
                    return route.isLocal
                        ? "\(address) is an address of \(interface ?? "another interface")"
                        : "\(address)/\(route.prefixLength) is reached by \(interface ?? "another interface")"
                }
            }
            return nil
        }
    }

    func change(_ change: LinkOperation, of interface: String) async throws {
        try await asking(change.operation(on: interface)) { () throws(NetlinkError) in
            guard let index = try await routes.link(named: interface)?.index else {
                // The other end may have been deleted this very moment, and the interface with it.
                if change == .delete { return }
                throw .refused(Errno(rawValue: ENODEV))
            }
            switch change {
            case .setAlias(let alias): try await routes.set(alias: alias, of: index)
            case .setHardwareAddress(let address):
                try await routes.set(hardwareAddress: address.bytes, of: index)
            case .addAddress(let address):
                try await routes.add(address: address.address.bytes, prefixLength: address.length, to: index)
            case .removeAddress(let address):
                try await routes.remove(address: address.address.bytes, prefixLength: address.length, from: index)
            case .raise: try await routes.set(.up, true, of: index)
            case .addRoute(let route):
                try await routes.putRoute(
                    to: route.destination.address.bytes, prefixLength: route.destination.length,
                    via: route.gateway?.bytes, source: route.source?.bytes, by: index, origin: Self.origin)
            case .putNeighbour(let address, let hardware):
                try await routes.put(neighbour: address.bytes, hardwareAddress: hardware.bytes, by: index)
            case .delete:
                do throws(NetlinkError) { try await routes.delete(index) } catch {
                    guard error.errno == Errno(rawValue: ENODEV) else { throw error }
                }
            }
        }
    }

    /// Runs the body and adds the operation to its error.
    func asking<Value>(
        _ operation: String, _ body: () async throws(NetlinkError) -> Value
    ) async throws(PlaceError) -> Value {
        do throws(NetlinkError) {
            return try await body()
        } catch {
            throw PlaceError(operation, error)
        }
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

extension InterfacePrefix {
    /// The route that the kernel makes for the address.
    fileprivate var connectedRoute: Route { Route(to: network, source: address) }
}

extension IPPrefix {
    /// The first addresses of the network that a host can have; for a single address, the address itself.
    fileprivate var firstAddresses: [IPAddress] {
        switch address.storage {
        case .ipv4(let number): length == 32 ? [address] : (1...3).map { IPAddress(ipv4: number + $0) }
        case .ipv6(let number): length == 128 ? [address] : (1...3).map { IPAddress(ipv6: number + $0) }
        }
    }

    /// The first and the last address of an IPv4 network.
    fileprivate var ends: [IPAddress] {
        guard case .ipv4(let number) = address.storage else { return [address] }
        let size: UInt32 = length == 0 ? .max : (1 << (32 - UInt32(length))) - 1
        return [IPAddress(ipv4: number & ~size), IPAddress(ipv4: number | size)]
    }

    /// The longest prefix of a route that does not claim the addresses. A route to all link-local addresses, or to
    /// everything, claims none of them: many hosts have such routes.
    fileprivate var widestForeignLength: Int { address.isLinkLocal ? 16 : 0 }
}

extension LinkOperation {
    /// The operation in words that follow "cannot".
    package func operation(on interface: String) -> String {
        switch self {
        case .setAlias: "write an alias on \(interface)"
        case .setHardwareAddress(let address): "give \(interface) the hardware address \(address)"
        case .addAddress(let address): "give \(interface) the address \(address)"
        case .removeAddress(let address): "take the address \(address) from \(interface)"
        case .raise: "raise \(interface)"
        case .addRoute(let route): "add the route \(route) by \(interface)"
        case .putNeighbour(let address, _): "tell \(interface) its neighbour \(address)"
        case .delete: "delete the interface \(interface)"
        }
    }
}
