import IPVSKit
import RuleKit

/// What a file leaves out, and the mesh does not have yet.
extension MeshFileApplication {
    mutating func allocateForNodes() throws(InputError) {
        // The first task of this node makes the node.
        if next.nodes[context.node] == nil, present.nodes[context.node] == nil,
            tasksToAttach.contains(where: { $0.task.node ?? context.node == context.node })
        {
            next.nodes[context.node] = MeshNode(number: 0, gatewaySubnets: [])
        }
        for (name, node) in sorted(next.nodes) where node.number == 0 {
            next.nodes[name]!.number = (1...).first { number in !next.nodes.values.contains { $0.number == number } }!
        }
        for (name, node) in sorted(next.nodes) {
            let host = name == context.node ? context.host : HostNetworks()
            if node.gatewaySubnets.isEmpty {
                next.nodes[name]!.gatewaySubnets = try file.placing(at: .node(name)) { () throws(InputError) in
                    try next.defaultGatewaySubnets(of: name, avoiding: host)
                }
            } else if !isWhole, let chosen = file.nodes?[name]?.gatewaySubnets {
                // A file of the whole mesh says exactly what there is.
                next.nodes[name]!.gatewaySubnets = next.gatewaySubnets(
                    choosing: chosen, over: present.nodes[name]?.gatewaySubnets, of: name, avoiding: host)
            }
        }
    }

    mutating func allocateForNetworks() throws(InputError) {
        if !tasksToAttach.isEmpty, next.networks[MeshNetwork.ingress] == nil {
            next.networks[MeshNetwork.ingress] = MeshNetwork(identifier: 0, port: 0, subnets: [])
        }
        for (name, network) in sorted(next.networks) {
            let port = network.port == 0 ? next.defaultPort(avoiding: context.host) : network.port
            next.networks[name]!.port = port
            if network.identifier == 0 {
                next.networks[name]!.identifier = try file.placing(at: .network(name)) { () throws(InputError) in
                    try next.freeIdentifier(nil, on: port, for: name, avoiding: context.host)
                }
            }
            if network.subnets.isEmpty {
                next.networks[name]!.subnets = try file.placing(at: .network(name)) { () throws(InputError) in
                    try next.defaultSubnets(of: name, avoiding: context.host)
                }
            }
        }
        for (name, network) in sorted(next.networks) {
            if file.networks?[name]?.balancers == nil {
                // Those of nodes that are gone, and those outside of changed subnets.
                for (node, addresses) in network.balancers
                where next.nodes[node] == nil || addresses.count != network.subnets.count
                    || !addresses.allSatisfy({ address in network.subnets.contains { $0.canGive(address) } })
                {
                    next.networks[name]!.balancers[node] = nil
                }
            }
            for (node, _) in sorted(next.nodes) where next.networks[name]!.balancers[node] == nil {
                try file.placing(at: .network(name)) { () throws(InputError) in
                    try next.allocateBalancer(of: node, on: name)
                }
            }
        }
    }

    mutating func allocateMarks() throws(InputError) {
        var marks = MarkAllocator(avoiding: next.marks.union(context.takenMarks))
        for (name, port) in portsToMark {
            next.services[name]!.put(port.published(mark: try marks.next(), over: nil))
        }
    }

    mutating func allocateVirtualAddresses() throws(InputError) {
        var marks = MarkAllocator(avoiding: next.marks.union(context.takenMarks))
        for (name, service) in sorted(next.services) {
            for (network, virtual) in sorted(service.virtualAddresses) {
                var virtual = virtual
                if virtual.addresses.isEmpty, let subnets = next.networks[network]?.subnets {
                    for subnet in subnets {
                        virtual.addresses.append(
                            try file.placing(at: SpecPath.service(name)("vips", network)) { () throws(InputError) in
                                try next.takeAddress(in: subnet, of: network)
                            })
                    }
                }
                if virtual.mark == Self.noMark { virtual.mark = try marks.next() }
                next.services[name]!.virtualAddresses[network] = virtual
            }
        }
    }

    mutating func attachTasks() throws(InputError) {
        for (name, task) in tasksToAttach {
            let attachment = task.attachment!
            var request = TaskAttachmentRequest(
                namespace: attachment.namespace, inode: attachment.inode, container: attachment.container,
                node: task.node ?? context.node, networks: attachment.networks, address: task.address,
                weight: task.weight ?? 1,
                defaultAddresses: attachment.defaultAddresses)
            if request.node == context.node, let facts = context.facts[request.namespace] {
                request.inode = facts.inode
                request.defaultAddresses = facts.defaultAddresses
                request.ended = context.ended
            }
            let wanted = request
            try file.placing(at: file.path(of: task, in: name)) { () throws(InputError) in
                let attached = try next.attach(wanted, service: name, avoiding: context.takenMarks)
                if task.isDraining == true { try next.drain(.address(attached.address), service: name) }
            }
            if wanted.node == context.node, let hasZones = context.hasZones {
                next.nodes[wanted.node]?.hasZones = hasZones
            }
        }
    }

    /// Gives tasks whose addresses the file says what their namespaces decide, and an address on the gateway bridge for
    /// each family in which they have no way out.
    mutating func completeTasks() throws(InputError) {
        for (name, described) in tasksToComplete {
            let path = file.path(of: described, in: name)
            guard let task = next.services[name]?.tasks.first(where: { $0.address == described.address }),
                let present = task.attachment, let nodeName = task.node, let node = next.nodes[nodeName]
            else { continue }
            var attachment = present
            if nodeName == context.node, let facts = context.facts[present.namespace] {
                let strangers = Set(described.attachment?.defaultAddresses ?? []).subtracting(facts.defaultAddresses)
                if let stranger = strangers.min() {
                    throw file.error(
                        at: path("attachment", "default", stranger.description),
                        "no default route of \(present.namespace) leads by \(stranger): leave default out")
                }
                attachment.inode = facts.inode
                attachment.defaultAddresses = facts.defaultAddresses.sorted()
                attachment.gatewayAddresses.removeAll { address in
                    facts.defaultAddresses.contains { $0.family == address.family }
                }
                if let hasZones = context.hasZones { next.nodes[nodeName]!.hasZones = hasZones }
            }
            let request = TaskAttachmentRequest(
                namespace: present.namespace, node: nodeName,
                defaultAddresses: attachment.defaultAddresses + attachment.gatewayAddresses)
            let added = try file.placing(at: path) { () throws(InputError) in
                try next.gatewayAddresses(for: request, on: node)
            }
            attachment.gatewayAddresses = (attachment.gatewayAddresses + added).sorted()
            next.replace(present, by: attachment, on: nodeName)
        }
    }
}
