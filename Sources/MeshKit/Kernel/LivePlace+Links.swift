import IPVSKit
import Netlink
import RuleKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension LivePlace {
    func links(_ ends: [LinkEnd], others: [(PlaceID, LivePlace)]) async throws -> [String: Reading<ObservedLink>] {
        let handles = others.map { ($0, $1.handle) }
        return try await ask("look at the interfaces") { socket throws(Errno) in
            var places: [Int32: PlaceID] = [:]
            for (place, handle) in handles {
                let number = try socket.number(of: handle)
                if number >= 0 { places[number] = place }
            }
            var found: [String: Reading<ObservedLink>] = [:]
            for end in ends {
                guard let link = try socket.link(named: end.id.name) else {
                    found[end.id.name] = .absent
                    continue
                }
                found[end.id.name] = .known(try socket.observe(link, as: end, places))
            }
            return found
        }
    }

    func claimant(of end: LinkEnd) async throws -> String? {
        try await ask("look for who uses the addresses of \(end.id)") { socket throws(Errno) in
            for claim in end.claims {
                // Interfaces' own addresses before the network's: what is said of them is clearer.
                for address in end.reaches.union(end.addresses.map(\.address)).sorted() + claim.ends {
                    guard let route = try socket.route(to: address.bytes), route.prefixLength > claim.widestForeignLength
                    else { continue }
                    let interface = route.interface.flatMap(interfaceName) ?? "another interface"
                    return route.isLocal
                        ? "\(address) is an address of \(interface)"
                        : "\(address)/\(route.prefixLength) is reached by \(interface)"
                }
            }
            return nil
        }
    }

    func change(_ change: LinkOperation, of interface: String) async throws {
        try await ask("\(change) of \(interface)") { socket throws(Errno) in
            guard let index = try socket.link(named: interface)?.index else {
                // Its other end may have gone, and taken it along this very moment.
                if change == .delete { return }
                throw Errno(rawValue: ENODEV)
            }
            switch change {
            case .setAlias(let alias): try socket.set(alias: alias, of: index)
            case .setHardwareAddress(let address): try socket.set(hardwareAddress: address.bytes, of: index)
            case .addAddress(let address): try socket.add(NetworkAddress(address), to: index)
            case .removeAddress(let address): try socket.remove(NetworkAddress(address), from: index)
            case .raise: try socket.set(.up, true, of: index)
            case .addRoute(let route): try socket.put(InterfaceRoute(route), by: index, origin: Self.origin)
            case .putNeighbour(let address, let hardware):
                try socket.put(neighbour: address.bytes, hardwareAddress: hardware.bytes, by: index)
            case .delete:
                do throws(Errno) { try socket.delete(index) } catch {
                    guard error == Errno(rawValue: ENODEV) else { throw error }
                }
            }
        }
    }
}

extension RouteSocket {
    fileprivate mutating func observe(
        _ link: NetworkLink, as end: LinkEnd, _ places: [Int32: PlaceID]
    ) throws(Errno) -> ObservedLink {
        var found = ObservedLink(index: link.index)
        found.kind = link.kind
        found.alias = link.alias
        found.isInOurGroup = link.group == LivePlace.group
        found.hardwareAddress = link.hardwareAddress.isEmpty ? nil : HardwareAddress(link.hardwareAddress)
        found.isUp = link.flags.contains(.up)
        if let number = link.peerNamespace, let place = places[number], let peer = link.peer {
            found.peer = .place(place, index: peer)
        }
        // Whether anybody's or none's, what is on it is nobody's business unless it is ours.
        guard found.isOurs else { return found }
        let addresses = try self.addresses(of: link.index).compactMap { address in
            IPAddress(bytes: address.bytes).map { InterfacePrefix($0, length: address.prefixLength) }
        }
        found.addresses = Set(addresses.filter { !($0.address.family == .ipv6 && $0.address.isLinkLocal) })
        for isIPv4 in Set(end.addresses.map { $0.address.family == .ipv4 }) {
            found.routes.formUnion(try routes(by: link.index, isIPv4: isIPv4).compactMap(Route.init))
        }
        if !end.neighbours.isEmpty {
            for (address, hardware) in try permanentNeighbours(of: link.index) {
                guard let address = IPAddress(bytes: address) else { continue }
                found.neighbours[address] = HardwareAddress(hardware)
            }
        }
        for address in end.reaches where try route(to: address.bytes)?.interface == link.index {
            found.reached.insert(address)
        }
        return found
    }
}

extension NetworkAddress {
    fileprivate init(_ address: InterfacePrefix) { self.init(address.address.bytes, prefixLength: address.length) }
    fileprivate init(_ prefix: IPPrefix) { self.init(prefix.address.bytes, prefixLength: prefix.length) }
}

extension InterfaceRoute {
    fileprivate init(_ route: Route) {
        self.init(
            to: NetworkAddress(route.destination), via: route.gateway?.bytes, source: route.source?.bytes)
    }
}

extension Route {
    fileprivate init?(_ route: InterfaceRoute) {
        guard let address = IPAddress(bytes: route.destination.bytes) else { return nil }
        self.init(
            to: IPPrefix(address, length: route.destination.prefixLength),
            via: route.gateway.flatMap { IPAddress(bytes: $0) }, source: route.source.flatMap { IPAddress(bytes: $0) })
    }
}

extension IPPrefix {
    /// The first and the last address.
    fileprivate var ends: [IPAddress] {
        guard case .ipv4(let number) = address.storage else { return [address] }
        let size: UInt32 = length == 0 ? .max : (1 << (32 - UInt32(length))) - 1
        return [IPAddress(ipv4: number & ~size), IPAddress(ipv4: number | size)]
    }

    /// A route to a network as wide as this, or wider, is nobody's claim to the addresses: many a host has one to all
    /// link-local addresses, and most have one to everything.
    fileprivate var widestForeignLength: Int { address.isLinkLocal ? 16 : 0 }
}

extension LinkOperation: CustomStringConvertible {
    /// What is done, in words that go before "of" and the interface.
    package var description: String {
        switch self {
        case .setAlias: "set the alias"
        case .setHardwareAddress(let address): "set the hardware address \(address)"
        case .addAddress(let address): "add the address \(address)"
        case .removeAddress(let address): "remove the address \(address)"
        case .raise: "raise the interface, that is set IFF_UP,"
        case .addRoute(let route): "add the route \(route)"
        case .putNeighbour(let address, _): "put the neighbour \(address)"
        case .delete: "delete the interface, that is the link,"
        }
    }
}
