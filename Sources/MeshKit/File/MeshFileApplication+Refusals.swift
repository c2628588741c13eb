import RuleKit

/// What a file must not do to the mesh that is, and to the host.
extension MeshFileApplication {
    /// Refuses a mesh with faults, in the parts that the file describes or in others that they do not fit. A fault that
    /// the present mesh has is not the file's.
    func refuseFaults() throws(InputError) {
        let faults = SpecCheck.faults(of: next, insteadOf: present)
        guard !faults.isEmpty else { return }
        let known = Set(SpecCheck.faults(of: present))
        try file.refuse(faults.filter { !known.contains($0) })
    }

    /// Refuses to take away what connections of this node to tasks that have left still lead over.
    func refuseToTakeAway() throws(InputError) {
        for name in present.nodes.keys.sorted() where next.nodes[name] == nil {
            try present.refuseLeaving(present.leaving.filter { $0.node == name }, of: "node \(name)")
        }
        if next.networks[MeshNetwork.ingress] == nil {
            try present.refuseLeaving(present.leaving, of: "network \(MeshNetwork.ingress)")
        }
    }

    /// Refuses what is new here and meets what this host has apart from the mesh: subnets that overlap its networks,
    /// and networks with a number that another of its VXLAN interfaces has.
    func refuseConflictsWithHost() throws(InputError) {
        try file.refuse(overlaps + takenIdentifiers)
    }

    private var overlaps: [SpecFault] {
        var subnets: [(path: SpecPath, subnet: IPPrefix, remedy: String)] = []
        for (name, network) in sorted(next.networks) {
            let new = Set(network.subnets).subtracting(present.networks[name]?.subnets ?? [])
            subnets += new.sorted().map {
                (SpecPath.network(name)("subnets", $0.description), $0, "choose another subnet for network \(name)")
            }
        }
        if let node = next.nodes[context.node] {
            let new = Set(node.gatewaySubnets).subtracting(present.nodes[context.node]?.gatewaySubnets ?? [])
            subnets += new.sorted().map {
                (
                    SpecPath.node(context.node)("gateway", $0.description), $0,
                    "choose another gateway subnet for this node"
                )
            }
        }
        let prefixes = context.host.prefixes.sorted { $0.key < $1.key }
        return subnets.compactMap { path, subnet, remedy in
            prefixes.first { subnet.meets($0.key) }.map { met, interface in
                SpecFault(
                    path,
                    "\(subnet) overlaps \(met), to which the interface \(interface) of this host leads: \(remedy)")
            }
        }
    }

    /// A node has no two VXLAN interfaces with the same number on the same port.
    private var takenIdentifiers: [SpecFault] {
        let known = Set(present.networks.values.map { HostNetworks.Tunnel($0) })
        var withoutNetworks = next
        withoutNetworks.networks = [:]
        let free = withoutNetworks.defaultPort(avoiding: context.host)
        return sorted(next.networks).compactMap { name, network in
            let tunnel = HostNetworks.Tunnel(network)
            guard context.host.tunnels.contains(tunnel), !known.contains(tunnel) else { return nil }
            return SpecFault(
                SpecPath.network(name)("port"),
                "another VXLAN interface of this host has the VNI \(network.identifier) on UDP port \(network.port): "
                    + "give network \(name) another port on all nodes, such as \(free)")
        }
    }
}

extension HostNetworks.Tunnel {
    fileprivate init(_ network: MeshNetwork) { self.init(network.identifier, port: network.port) }
}
