import RuleKit

/// What a file must not do to the mesh that is, and to the host.
extension MeshFileApplication {
    /// Refuses a mesh with faults, in the parts that the file describes or in others that they do not fit. A fault that the
    /// present mesh has is not the file's.
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

    /// Refuses subnets that are new here and overlap a network of this host.
    func refuseConflictsWithHost() throws(InputError) {
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
        for (path, subnet, remedy) in subnets {
            guard
                let (met, interface) = context.host.prefixes.sorted(by: { $0.key < $1.key })
                    .first(where: { subnet.meets($0.key) })
            else { continue }
            throw file.error(
                at: path, "\(subnet) overlaps \(met), to which the interface \(interface) of this host leads: \(remedy)"
            )
        }
    }
}
