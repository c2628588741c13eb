public import IPVSKit
public import RuleKit

extension MeshSpec {
    /// Adds a node, or sets the address of a node. The lowest number that is free, subnets of its gateway bridge, and
    /// an address of its balancer on each network are allocated for a new node.
    ///
    /// - Parameters:
    ///   - address: the address at which the other nodes reach this one; nil keeps the present one.
    ///   - gatewaySubnets: the subnets of the node's gateway bridge; nil keeps the present ones, and allocates those of
    ///     a new node.
    ///   - host: the networks of the node's host, if they are known.
    public mutating func addNode(
        _ name: String, address: IPAddress? = nil, gatewaySubnets: [IPPrefix]? = nil,
        avoiding host: HostNetworks = HostNetworks()
    ) throws(InputError) {
        try Self.validate(nodeName: name)
        if let address { try validate(nodeAddress: address, of: name, with: gatewaySubnets) }
        var next = self
        if let address { next.nodes[name]?.address = address }
        if let gatewaySubnets {
            try next.validate(gatewaySubnets: gatewaySubnets, of: name, avoiding: host)
        }
        let subnets = gatewaySubnets?.sorted()
        if nodes[name] != nil {
            if let subnets { next.nodes[name]!.gatewaySubnets = subnets }
        } else {
            let number = (1...).first { number in !nodes.values.contains { $0.number == number } }!
            // Its own address counts among those that the gateway subnets must not have.
            next.nodes[name] = MeshNode(address: address, number: number, gatewaySubnets: subnets ?? [])
            if subnets == nil {
                next.nodes[name]!.gatewaySubnets = try next.defaultGatewaySubnets(of: name, avoiding: host)
            }
            for network in networks.keys.sorted() { try next.allocateBalancer(of: name, on: network) }
        }
        self = next
    }

    /// Adds a node or sets the address of a node, as ``addNode(_:address:gatewaySubnets:avoiding:)`` does. If a gateway
    /// subnet of one family is chosen, the gateway bridge has one of the other family, too.
    mutating func addNode(
        _ name: String, address: IPAddress?, choosing chosen: [IPPrefix]?, avoiding host: HostNetworks
    ) throws(InputError) {
        var known = self
        if let address { known.nodes[name, default: MeshNode(number: 0, gatewaySubnets: [])].address = address }
        let subnets = chosen.map {
            known.gatewaySubnets(choosing: $0, over: nodes[name]?.gatewaySubnets, of: name, avoiding: host)
        }
        try addNode(name, address: address, gatewaySubnets: subnets, avoiding: host)
    }

    /// Removes a node with its balancers' addresses.
    public mutating func removeNode(_ name: String) throws(InputError) {
        _ = try node(name)
        let attached = attachedTasks().filter { $0.task.node == name }
        guard attached.isEmpty else {
            let tasks = Self.listing(attached.map { "\($0.task.address) of service \($0.service)" })
            let commands = Set(attached.map(\.service)).sorted().map { "`meshctl task detach \($0) --node \(name)`" }
            throw InputError(
                "node \(name) has attached tasks: \(tasks); detach them first: \(Self.listing(commands))")
        }
        try refuseLeaving(leaving.filter { $0.node == name }, of: "node \(name)")
        nodes[name] = nil
        for network in networks.keys { networks[network]?.balancers[name] = nil }
    }

    /// Refuses to remove what connections still lead over.
    func refuseLeaving(_ tasks: [SpecTask], of owner: String) throws(InputError) {
        guard !tasks.isEmpty else { return }
        let list = Self.listing(Set(tasks.map(\.address)).sorted().map(\.description))
        throw InputError(
            "\(owner) still has connections to tasks that were detached: \(list); wait until they have ended, which "
                + "`meshctl status` shows, or cut them with `meshctl reconcile --now`")
    }

    /// The node with a name.
    public func node(_ name: String) throws(InputError) -> MeshNode {
        guard let node = nodes[name] else {
            throw InputError(
                "there is no node \(name.debugDescription); `meshctl node add \(name) --address IP` adds one, and "
                    + "`meshctl node ls` lists what is")
        }
        return node
    }

    /// - Parameter chosen: the subnets that the gateway bridge of the node is to have; nil for those that it has.
    private func validate(
        nodeAddress address: IPAddress, of name: String, with chosen: [IPPrefix]?
    ) throws(InputError) {
        if let fault = address.faultForNode { throw InputError("\(address) \(fault)") }
        if let (other, _) = nodes.sorted(by: { $0.key < $1.key }).first(where: { $0.value.address == address }),
            other != name
        {
            throw InputError(
                "\(address) is the address of node \(other): give node \(name) another one, or remove the other with "
                    + "`meshctl node rm \(other)`")
        }
        if let other = nodes.sorted(by: { $0.key < $1.key }).first(where: {
            $0.key != name && $0.value.address.map { $0.family != address.family } == true
        }), let theirs = other.value.address {
            throw InputError(
                "\(address) is an \(address.family) address, and node \(other.key) is at \(theirs): all nodes reach each "
                    + "other by one family; give an \(theirs.family) address of node \(name), or change the addresses of "
                    + "all nodes at once in a file for `meshctl apply`")
        }
        for (network, value) in networks.sorted(by: { $0.key < $1.key }) {
            guard let subnet = value.subnets.first(where: { $0.contains(address) }) else { continue }
            throw InputError(
                "\(address) is in \(subnet) of network \(network), which the nodes carry: give an address by which the "
                    + "host itself is reached")
        }
        var gatewaySubnets = nodes.mapValues(\.gatewaySubnets)
        if let chosen { gatewaySubnets[name] = chosen }
        for (node, subnets) in gatewaySubnets.sorted(by: { $0.key < $1.key }) {
            guard let subnet = subnets.first(where: { $0.contains(address) }) else { continue }
            throw InputError(
                "\(address) is in \(subnet) of the gateway bridge of node \(node), which could send nothing to it: "
                    + "choose another subnet first with `meshctl node add \(node) --gateway-subnet CIDR`, or give "
                    + "another address of node \(name)")
        }
    }

    private func validate(
        gatewaySubnets subnets: [IPPrefix], of name: String, avoiding host: HostNetworks
    ) throws(InputError) {
        guard !subnets.isEmpty else { throw InputError("the gateway bridge of node \(name) needs a subnet") }
        try Self.validate(subnets: subnets, of: "a gateway bridge")
        if let present = nodes[name]?.gatewaySubnets {
            if present == subnets.sorted() { return }
            try refuseLeaving(leaving.filter { $0.node == name }, of: "the gateway bridge of node \(name)")
            if attachedTasks().contains(where: { $0.task.node == name }) {
                throw InputError(
                    "the gateway bridge of node \(name) has \(Self.listing(present.map(\.description))), and tasks are "
                        + "attached to it: detach them first, or leave --gateway-subnet out")
            }
        }
        for subnet in subnets {
            guard let occupant = occupant(of: subnet, for: .gatewayBridge(of: name), avoiding: host) else { continue }
            throw InputError("\(subnet) cannot be a gateway subnet of node \(name): \(occupant); choose another one")
        }
    }

    /// The subnets of a node's gateway bridge if some are chosen: of a family of which none is, the node keeps its own,
    /// or gets a usual one, if one is free. Without it, attached tasks would have no way out by that family.
    ///
    /// - Parameter present: the subnets that the node has. If they are the chosen ones, they stay as they are.
    func gatewaySubnets(
        choosing chosen: [IPPrefix], over present: [IPPrefix]?, of name: String, avoiding host: HostNetworks
    ) -> [IPPrefix] {
        guard !chosen.isEmpty, chosen.sorted() != present else { return chosen.sorted() }
        let others = AddressFamily.allCases.filter { family in !chosen.contains { $0.family == family } }
        let added = others.compactMap { family in
            present?.first { $0.family == family } ?? usualGatewaySubnet(family, of: name, avoiding: host)
        }
        return (chosen + added).sorted()
    }

    /// The first free one of the usual subnets of a family. They are those from which Docker takes its own, too.
    private func usualGatewaySubnet(
        _ family: AddressFamily, of name: String, avoiding host: HostNetworks
    ) -> IPPrefix? {
        let use = SubnetUse.gatewayBridge(of: name)
        guard family == .ipv4 else {
            return firstFree(IPPrefix("fd18:6d65:7368::/64").run(256), for: use, avoiding: host)
        }
        let large = (18...31).map { IPPrefix(IPAddress(ipv4: 172 << 24 | $0 << 16), length: 16) }
        let small = (0..<16).map { IPPrefix(IPAddress(ipv4: 192 << 24 | 168 << 16 | $0 << 12), length: 20) }
        return firstFree(large + small, for: use, avoiding: host)
    }

    /// The first free ones of the usual subnets, one of each family.
    func defaultGatewaySubnets(of name: String, avoiding host: HostNetworks) throws(InputError) -> [IPPrefix] {
        guard let ipv4 = usualGatewaySubnet(.ipv4, of: name, avoiding: host),
            let ipv6 = usualGatewaySubnet(.ipv6, of: name, avoiding: host)
        else {
            throw InputError(
                "no usual subnet is free for the gateway bridge of node \(name): choose one with "
                    + "`meshctl node add \(name) --gateway-subnet CIDR`")
        }
        return [ipv4, ipv6]
    }
}

extension IPPrefix {
    /// This network and those behind it, as many as said, or as many as there are.
    func run(_ count: Int) -> PrefixSequence<UnfoldFirstSequence<IPPrefix>> {
        sequence(first: self, next: \.following).prefix(count)
    }
}

extension IPAddress {
    /// Why other nodes cannot reach a node at this address; nil if they can.
    var faultForNode: String? {
        if isLoopback { return "is the loopback address, at which no other host reaches this one" }
        if isUnspecified || isOfThisNetwork { return "is no address of a host" }
        if isMulticast { return "is a multicast address: a node has an address of its own" }
        if isReserved { return "is reserved or the broadcast address: a node has an address of its own" }
        if let ipv4 = writtenAsIPv6 { return "is an IPv4 address written as IPv6: write it as \(ipv4)" }
        if isOfDetour { return "is meshctl's own, for connections from 127.0.0.1 and ::1" }
        if family == .ipv6, isLinkLocal {
            return "is link-local, and says nothing without its link: give a global or unique local address of the node"
        }
        return nil
    }
}
