import IPVSKit
import RuleKit

extension Planner {
    /// The steps that make, repair or delete a link.
    mutating func steps(for link: Link) -> [Plan.Step] {
        // The planner has already noted that the place could not be observed.
        guard link.ends.allSatisfy({ found[$0.id.place].existence.reason == nil }) else { return [] }
        // A link into a lent namespace that no longer exists cannot be made; the kernel has deleted its other end, too.
        guard !link.ends.contains(where: { !isOwn($0.id.place) && found[$0.id.place].existence.isAbsent }) else {
            return []
        }
        let unreadable = link.ends.compactMap { end in
            found[end.id.place].links[end.id.name]?.reason.map { "not looked at: \(end.id): \($0)" }
        }
        guard unreadable.isEmpty else {
            notes += unreadable
            return []
        }
        let ends = link.ends.map(\.id)
        guard let link = wanted.links.first(where: { $0.ends.map(\.id) == ends }) else {
            return removals(of: link, in: .lowering)
        }
        let faults = structuralFaults(of: link)
        guard faults.isEmpty else {
            let isNew = link.ends.allSatisfy { observed($0) == nil }
            return removals(of: link, in: .clearing)
                + [
                    step(
                        link.ends[0].id.place, .links, .link(.make(link, faults: isNew ? [] : faults)),
                        for: link.purpose)
                ]
                + link.ends.flatMap { raising($0, of: link, from: nil) }
        }
        return link.ends.flatMap { raising($0, of: link, from: observed($0)) }
    }

    /// The end as it was observed; nil if its namespace is made anew.
    private func observed(_ end: LinkEnd) -> ObservedLink? {
        isRemade(end.id.place) ? nil : found[end.id.place].links[end.id.name]?.value
    }

    /// The faults that only making the link, or making it anew, repairs.
    private func structuralFaults(of link: Link) -> [String] {
        var faults: [String] = []
        for end in link.ends {
            guard let there = observed(end) else {
                faults.append("\(end.id) is missing")
                continue
            }
            guard there.kind == link.kind.description else {
                faults.append("\(end.id) is no \(link.kind) interface")
                continue
            }
            if case .vxlan(let settings) = link.kind, there.vxlan != settings {
                faults.append("\(end.id) has other VXLAN settings")
            }
            guard let peer = link.peer(of: end), let other = observed(peer) else { continue }
            if there.peer != .place(peer.id.place, index: other.index) {
                faults.append("\(end.id) does not lead to \(peer.id)")
            }
        }
        return faults
    }

    /// The steps that delete the existing ends of a link of the mesh. A pair needs one step, since deleting one end
    /// deletes the other. It is the end that a packet meets first, so that no packet enters the link afterwards.
    private func removals(of link: Link, in phase: Phase) -> [Plan.Step] {
        var gone: [LinkEnd.ID] = []
        for end in link.ends.reversed() {
            guard let there = observed(end), there.isOurs else { continue }
            if let peer = link.peer(of: end), gone.contains(peer.id), let other = observed(peer),
                other.peer == .place(end.id.place, index: there.index)
            {
                continue
            }
            gone.append(end.id)
        }
        return gone.map { step($0.place, phase, .link(.remove($0)), for: link.purpose) }
    }

    /// The steps that give an end its settings, addresses, routes and neighbours, and raise it.
    private mutating func raising(_ end: LinkEnd, of link: Link, from there: ObservedLink?) -> [Plan.Step] {
        var steps: [Plan.Step] = []
        let readings = there == nil ? [:] : found[end.id.place].sysctls
        for (sysctl, value) in end.settings.sorted(by: { $0.key < $1.key }) {
            if let change = setting(sysctl, value, in: end.id.place, readings[sysctl] ?? .absent) {
                steps.append(step(end.id.place, .settings, .sysctl(change), for: link.purpose))
            }
        }
        let (mend, faults) = LinkMend.between(there, end, alias: link.alias)
        if !mend.isEmpty {
            steps.append(step(end.id.place, .raising, .link(.raise(end, mend, faults: faults)), for: link.purpose))
        }
        return steps
    }
}

extension LinkMend {
    /// The repairs that an end needs, and its faults in words.
    ///
    /// - Parameter there: the end as observed; nil for an end that was just made. A new end has its name, hardware
    ///   address and group and lacks everything else, which is no fault.
    static func between(_ there: ObservedLink?, _ end: LinkEnd, alias: String) -> (mend: LinkMend, faults: [String]) {
        var mend = LinkMend()
        var faults: [String] = []
        let found = there ?? ObservedLink(index: 0)
        if found.alias != alias {
            mend.alias = alias
            faults.append("\(end.id) has \(found.alias.map { "the alias \($0)" } ?? "no alias")")
        }
        if there != nil, found.hardwareAddress != end.hardwareAddress {
            mend.hardwareAddress = end.hardwareAddress
            faults.append("\(end.id) has the hardware address \(found.hardwareAddress.map { "\($0)" } ?? "of nobody")")
        }
        if let mtu = end.mtu, found.mtu != mtu {
            mend.mtu = mtu
            faults.append("\(end.id) has the MTU \(found.mtu)")
        }
        if let bridge = end.bridge, found.bridge != bridge {
            mend.bridge = bridge
            faults.append("\(end.id) is no port of \(bridge)")
        }
        if end.isIsolated != found.isIsolated {
            mend.isolation = end.isIsolated
            faults.append("\(end.id) is \(found.isIsolated ? "isolated" : "not isolated")")
        }
        if !found.isUp {
            mend.raises = true
            faults.append("\(end.id) is down")
        }
        let addresses = AddressChanges(from: found, to: end.addresses)
        (mend.addresses, mend.strayAddresses, mend.lateAddresses) = (addresses.first, addresses.removed, addresses.last)
        faults += end.addresses.subtracting(found.addresses).sorted().map { "\(end.id) lacks the address \($0)" }
        faults += found.addresses.subtracting(end.addresses).sorted().map {
            "\(end.id) has the address \($0), which is not the mesh's"
        }
        if found.isUp, found.lacksLinkLocal, end.addresses.contains(where: { $0.address.family == .ipv6 }) {
            mend.linkLocal = end.hardwareAddress.linkLocalAddress
            faults.append("\(end.id) lacks its IPv6 link-local address")
        }
        // When an interface is up, the kernel itself makes the route to the network of each new address.
        let comesWithAddresses = Set(addresses.first.union(addresses.last).map(\.network))
        let networks = end.connectedRoutes
        mend.routes = end.routes.union(networks).filter { !found.routes.contains($0) || addresses.lose($0) }
            .filter { !(networks.contains($0) && (comesWithAddresses.contains($0.destination) || mend.raises)) }
        faults += mend.routes.subtracting(found.routes).sorted().map { "\(end.id) lacks the route \($0)" }
        mend.neighbours = end.neighbours.filter { found.neighbours[$0.key] != $0.value }
        faults += mend.neighbours.keys.sorted().map { "\(end.id) does not know its neighbour \($0)" }
        mend.forwarding = end.forwarding.filter { found.forwarding[$0.key] != $0.value }
        faults += mend.forwarding.keys.sorted().map { "\(end.id) does not know the node of \($0)" }
        // A path that has retired within this pass may have needed a route when the link was observed. The kernel removes
        // the route to the network of an address with the address.
        let comeWithFound = Set(found.addresses.compactMap(\.connectedRoute))
        mend.strayRoutes = found.strayRoutes
            .union(found.routes.subtracting(end.routes).subtracting(networks).subtracting(comeWithFound))
        faults += mend.strayRoutes.sorted().map { "\(end.id) has the route \($0), which is not needed" }
        mend.strayNeighbours = Set(found.neighbours.keys).subtracting(end.neighbours.keys)
        faults += mend.strayNeighbours.sorted().map { "\(end.id) has the neighbour \($0), which is not the mesh's" }
        mend.strayForwarding = Set(found.forwarding.keys).subtracting(end.forwarding.keys)
        faults += mend.strayForwarding.sorted().map { "\(end.id) has an entry for \($0), which is not the mesh's" }
        return (mend, there == nil ? [] : faults)
    }
}

extension InterfacePrefix {
    /// The network that the address is in.
    var network: IPPrefix { IPPrefix(address, length: length) }
    /// The route that the kernel makes for the address; nil for an address that is alone in its network. An IPv6 route
    /// of this kind names no source.
    fileprivate var connectedRoute: Route? {
        guard length < (address.family == .ipv4 ? 32 : 128) else { return nil }
        return Route(to: network, source: address.family == .ipv4 ? address : nil)
    }
}

extension LinkEnd {
    /// The routes that the kernel makes for the addresses.
    package var connectedRoutes: Set<Route> { Set(addresses.compactMap(\.connectedRoute)) }
}

extension Link {
    /// Why the mesh cannot put up a link on this node; nil if it can. Interfaces of other programs are never touched.
    func conflict(in found: ObservedDatapath) -> String? {
        for end in ends {
            let there = found[end.id.place]
            if let observed = there.links[end.id.name]?.value {
                guard observed.isOurs else {
                    return "cannot put up the interface \(end.id): there is one of that name that is not meshctl's: "
                        + "rename or delete it"
                }
                let lost = end.reaches.subtracting(observed.reached).sorted()
                let (mend, _) = LinkMend.between(observed, end, alias: alias)
                if let address = lost.first, mend.isEmpty {
                    return "\(address) is not reached by \(end.id): a route or a routing rule of this host's leads "
                        + "elsewhere"
                }
            }
            if let claimant = there.claimants[end.id.name] {
                return
                    "cannot put up the interface \(end.id): \(end.addresses.sorted().map(\.description).joined(separator: ", ")), "
                    + "which it is to have, is in use: \(claimant)"
            }
        }
        return nil
    }
}
