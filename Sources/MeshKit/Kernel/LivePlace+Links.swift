import IPVSKit
import Netlink
import RuleKit
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

extension LivePlace {
    /// The interfaces with the names of the given ends.
    ///
    /// - Parameter others: the places that may contain the other ends.
    func links(_ ends: [LinkEnd], others: [(Place, LivePlace)]) async throws -> [String: Reading<ObservedLink>] {
        try await routes.asking("look at the interfaces") { () throws(NetlinkError) in
            var reader = LinkReader(routes: routes, filteredRoutes: filteredRoutes)
            var found: [String: Reading<ObservedLink>] = [:]
            var links: [(LinkEnd, NetworkLink)] = []
            // One list costs less than many questions, and more than a few on a host with thousands of interfaces.
            if ends.count > 8 { try await reader.readAll() }
            for end in ends {
                found[end.id.name] = .absent
                if let link = try await reader.link(named: end.id.name) { links.append((end, link)) }
            }
            // Another namespace gets its number in this one when an interface that leads there is first read.
            for (place, other) in others where links.contains(where: { $0.1.peerNamespace != nil }) {
                let number = try await routes.number(of: other.handle)
                if number >= 0 { reader.places[number] = place }
            }
            for (end, link) in links { found[end.id.name] = .known(try await reader.observe(link, as: end)) }
            return found
        }
    }

    func claimant(of end: LinkEnd) async throws -> String? {
        try await routes.asking("look for who uses the addresses of \(end.id)") { () throws(NetlinkError) in
            for claim in end.claims {
                // The addresses of the ends are checked before those of the network, because a finding about them makes
                // the clearer message.
                let addresses = end.reaches.union(end.addresses.map(\.address)).filter(claim.contains)
                for address in addresses.sorted() + claim.ends {
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
        try await routes.asking(change.operation(on: interface)) { () throws(NetlinkError) in
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
                try await routes.add(
                    address: address.address.bytes, prefixLength: address.length, isDeprecated: address.isDeprecated,
                    to: index)
            case .removeAddress(let address):
                try await routes.remove(address: address.address.bytes, prefixLength: address.length, from: index)
            case .restoreLinkLocal(let address):
                do throws(NetlinkError) {
                    try await routes.add(address: address.bytes, prefixLength: 64, isDeprecated: false, to: index)
                } catch {
                    guard error.errno == .fileExists else { throw error }
                }
            case .raise: try await routes.set(.up, true, of: index)
            case .addRoute(let route):
                try await routes.put(NewRoute(route), by: index, origin: Self.origin)
            case .removeRoute(let route):
                try await routes.remove(NewRoute(route), by: index, origin: Self.origin)
            case .putNeighbour(let address, let hardware):
                try await routes.put(
                    neighbour: address.bytes, hardwareAddress: hardware.bytes, by: index, origin: Self.origin)
            case .removeNeighbour(let address): try await routes.remove(neighbour: address.bytes, by: index)
            case .putForwarding(let hardware, let node):
                try await routes.putForwarding(of: hardware.bytes, to: node.bytes, by: index)
            case .removeForwarding(let hardware): try await routes.removeForwarding(of: hardware.bytes, by: index)
            case .setMTU(let mtu): try await routes.set(mtu: mtu, of: index)
            case .isolate(let isIsolated): try await routes.set(isolated: isIsolated, of: index)
            case .joinBridge(let bridge):
                guard let master = try await routes.link(named: bridge)?.index else {
                    throw .refused(Errno(rawValue: ENODEV), message: "there is no bridge \(bridge)")
                }
                try await routes.set(master: master, of: index)
            case .delete:
                do throws(NetlinkError) { try await routes.delete(index) } catch {
                    guard error.errno == Errno(rawValue: ENODEV) else { throw error }
                }
            }
        }
    }
}

extension IPPrefix {
    /// The first and the last address of an IPv4 network; the first of an IPv6 network.
    fileprivate var ends: [IPAddress] { family == .ipv4 ? [address, lastAddress] : [address] }

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
        case .restoreLinkLocal(let address): "give \(interface) its IPv6 link-local address \(address)"
        case .raise: "raise \(interface)"
        case .setMTU(let mtu): "set the MTU of \(interface) to \(mtu)"
        case .joinBridge(let bridge): "make \(interface) a port of \(bridge)"
        case .isolate(let isIsolated): "make \(interface) \(isIsolated ? "an isolated port" : "an open port")"
        case .addRoute(let route): "add the route \(route) by \(interface)"
        case .removeRoute(let route): "remove the route \(route) by \(interface)"
        case .putNeighbour(let address, _): "tell \(interface) its neighbour \(address)"
        case .removeNeighbour(let address): "make \(interface) forget its neighbour \(address)"
        case .putForwarding(let hardware, let node): "tell \(interface) that \(hardware) is behind \(node)"
        case .removeForwarding(let hardware): "make \(interface) forget where \(hardware) is"
        case .delete: "delete the interface \(interface)"
        }
    }
}
