import IPVSKit
public import RuleKit

extension MeshSpec {
    /// Creates an overlay network, and allocates an address on it for the balancer of each node. Creating a network
    /// again with the same subnets and identifier has no further effect.
    ///
    /// - Parameters:
    ///   - subnets: at most one of each family. None: the usual ones that are free.
    ///   - identifier: the VXLAN network identifier (VNI). Nil: the lowest free one from 4097 up; for `ingress` from
    ///     4096 up.
    ///   - host: the networks of the host, which the network must not overlap. The first network also decides on the UDP
    ///     port of all: it is one that no tunnel of the host has.
    public mutating func createNetwork(
        _ name: String, subnets: [IPPrefix] = [], identifier: UInt32? = nil,
        avoiding host: HostNetworks = HostNetworks()
    ) throws(InputError) {
        try Self.validate(networkName: name)
        try Self.validate(subnets: subnets, of: "a network")
        let subnets = subnets.sorted()
        if let present = networks[name] {
            guard subnets.isEmpty || subnets == present.subnets,
                identifier == nil || identifier == present.identifier
            else {
                throw InputError(
                    "there is a network \(name) with VNI \(present.identifier) and "
                        + "\(Self.listing(present.subnets.map(\.description))): remove it first with "
                        + "`meshctl network rm \(name)`, or choose another name")
            }
            return
        }
        for subnet in subnets {
            guard let occupant = occupant(of: subnet, for: .network, avoiding: host) else { continue }
            throw InputError("\(subnet) cannot be a subnet of network \(name): \(occupant); choose another one")
        }
        var next = self
        let port = defaultPort(avoiding: host)
        next.networks[name] = MeshNetwork(
            identifier: try freeIdentifier(identifier, on: port, for: name, avoiding: host), port: port,
            subnets: subnets.isEmpty ? try defaultSubnets(of: name, avoiding: host) : subnets)
        for node in nodes.keys.sorted(by: { nodes[$0]!.number < nodes[$1]!.number }) {
            try next.allocateBalancer(of: node, on: name)
        }
        self = next
    }

    /// Removes an overlay network that neither tasks nor services are on.
    public mutating func removeNetwork(_ name: String) throws(InputError) {
        _ = try network(name)
        let owners = services.filter { $0.value.virtualAddresses[name] != nil }.keys.sorted()
        guard owners.isEmpty else {
            throw InputError(
                "network \(name) has \(owners.count == 1 ? "the service" : "the services") \(Self.listing(owners)); take "
                    + "\(owners.count == 1 ? "it" : "them") off first with `meshctl network disconnect \(name) "
                    + "\(owners.joined(separator: " "))`")
        }
        let tasks = attachedTasks().filter { $0.attachment.addresses[name] != nil }
        guard tasks.isEmpty else {
            let list = Self.listing(tasks.map { "\($0.task.address) of service \($0.service)" })
            throw InputError(
                "network \(name) has tasks: \(list); detach them first with `meshctl task detach SERVICE ADDRESS`")
        }
        // Without the network no connection by published ports goes on; those on user networks have ended.
        if name == MeshNetwork.ingress { try refuseLeaving(leaving, of: "network \(name)") }
        networks[name] = nil
    }

    /// Makes what the first attached task of a node needs, where it is missing: the node and the network `ingress`.
    public mutating func ensureIngress(
        node: String, avoiding host: HostNetworks = HostNetworks()
    ) throws(InputError) {
        var next = self
        if next.nodes[node] == nil { try next.addNode(node, avoiding: host) }
        if next.networks[MeshNetwork.ingress] == nil { try next.createNetwork(MeshNetwork.ingress, avoiding: host) }
        self = next
    }

    /// The network with a name.
    public func network(_ name: String) throws(InputError) -> MeshNetwork {
        guard let network = networks[name] else {
            throw InputError(
                "there is no network \(name.debugDescription); `meshctl network create \(name)` makes one, and "
                    + "`meshctl network ls` lists what is")
        }
        return network
    }

    /// Gives the balancer of a node an address in each subnet of a network.
    mutating func allocateBalancer(of node: String, on name: String) throws(InputError) {
        guard let network = networks[name] else { return }
        var addresses: [IPAddress] = []
        for subnet in network.subnets { addresses.append(try takeAddress(in: subnet, of: name)) }
        networks[name]?.balancers[node] = addresses
    }

    /// The lowest free address of a network's subnet. The caller records it before it takes the next one.
    ///
    /// - Parameter reserved: an address that is meant for somebody else.
    func takeAddress(
        in subnet: IPPrefix, of name: String, besides reserved: Set<IPAddress> = []
    ) throws(InputError) -> IPAddress {
        var pool = AddressPool(
            subnet, used: usedAddresses(on: name).union(reserved).union(lookalikes(in: subnet, of: name)),
            sparing: Set(replaceable.lazy.flatMap { $0.attachment?.addresses[name] ?? [] }))
        guard let address = pool.take() else {
            throw InputError(
                "network \(name) has no free address: \(Self.text(of: pool.count)) in use of \(subnet); detach tasks "
                    + "first, which `meshctl network inspect \(name)` lists, or use a network with a larger subnet")
        }
        return address
    }

    /// The addresses of balancers, services and tasks on a network, those of tasks that have left included.
    func usedAddresses(on network: String) -> Set<IPAddress> {
        var used = Set(networks[network]?.balancers.values.lazy.flatMap(\.self) ?? [])
        used.formUnion(leaving.lazy.flatMap { $0.attachment?.addresses[network] ?? [] })
        for service in services.values {
            if let virtual = service.virtualAddresses[network] { used.formUnion(virtual.addresses) }
            for task in service.tasks {
                if let addresses = task.attachment?.addresses[network] { used.formUnion(addresses) }
            }
        }
        return used
    }

    /// A network identifier that is wanted and free, or the lowest free one if none is wanted.
    func freeIdentifier(
        _ wanted: UInt32?, on port: UInt16, for name: String, avoiding host: HostNetworks
    ) throws(InputError) -> UInt32 {
        let taken = Dictionary(
            networks.map { ($0.value.identifier, "network \($0.key)") }
                + host.tunnels.lazy.filter { $0.port == port }.map { ($0.identifier, "an interface of this host") }
        ) { first, _ in first }
        guard let wanted else {
            let first: UInt32 = name == MeshNetwork.ingress ? 4096 : 4097
            guard let free = (first...MeshNetwork.lastIdentifier).first(where: { taken[$0] == nil }) else {
                throw InputError("no VNI is free: remove a network first")
            }
            return free
        }
        guard (1...MeshNetwork.lastIdentifier).contains(wanted) else {
            throw InputError("\(wanted) is no VNI: they are the numbers from 1 to \(MeshNetwork.lastIdentifier)")
        }
        if let owner = taken[wanted] {
            throw InputError("\(owner) has the VNI \(wanted): choose another one, or leave it out")
        }
        return wanted
    }

    /// The UDP port of a new network: that of the other networks. For the first one it is the usual port, or the next
    /// one that is not published, and on which nobody else has a tunnel: whoever has one there, such as a Swarm, will
    /// want the next numbers for networks of its own, and may have rules about the packets of that port.
    func defaultPort(avoiding host: HostNetworks) -> UInt16 {
        if let port = networks.values.lazy.map(\.port).filter({ $0 != 0 }).min() { return port }
        let taken = Set(host.tunnels.map(\.port))
        let published = bindings(of: .udp).map(\.ports)
        let free = (MeshNetwork.defaultPort...UInt16.max).first { port in
            !taken.contains(port) && !published.contains { $0.contains(port) }
        }
        return free ?? MeshNetwork.defaultPort
    }

    /// The networks whose packets between the nodes come to a port, by name. If the port is published, its tasks get
    /// them.
    func networks(carriedBy listening: PortBinding) -> [(name: String, port: UInt16)] {
        guard listening.transport == .udp else { return [] }
        return networks.filter { listening.ports.contains($0.value.port) }.sorted { $0.key < $1.key }
            .map { (name: $0.key, port: $0.value.port) }
    }

    /// The first free ones of the usual subnets.
    func defaultSubnets(of name: String, avoiding host: HostNetworks) throws(InputError) -> [IPPrefix] {
        let isIngress = name == MeshNetwork.ingress
        let ipv4 =
            isIngress
            ? (0...255).reversed().map { IPPrefix(IPAddress(ipv4: 10 << 24 | $0 << 16), length: 16) }
            : (0...255).map { IPPrefix(IPAddress(ipv4: 10 << 24 | $0 << 8), length: 24) }
        guard let free = firstFree(ipv4, for: .network, avoiding: host) else {
            throw InputError(
                "no usual subnet is free for network \(name): choose one with "
                    + "`meshctl network create \(name) --subnet CIDR`")
        }
        guard isIngress else { return [free] }
        let ipv6 = firstFree(IPPrefix("fd25:6d65:7368::/64").run(256), for: .network, avoiding: host)
        return [free] + (ipv6.map { [$0] } ?? [])
    }
}

extension MeshNetwork {
    /// The highest VXLAN network identifier.
    static let lastIdentifier: UInt32 = 0xFF_FFFF
}
