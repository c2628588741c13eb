import IPVSKit
import RuleKit

/// The balancer in the sandbox: services and rules for tasks on the ingress network, and the rules of the node that send
/// new connections to published ports there.
package struct IngressBalancer: DatapathPart {
    package init() {}

    package func outline(_ request: MeshRequest, into outline: inout Outline) {
        guard request.ownNode != nil || request.ledger.places[.sandbox] != nil else { return }
        let families = Set(AddressFamily.allCases)
        outline.places[.sandbox] = Self.place(request)
        outline.balancers.insert(.sandbox)
        outline.sysctls[.sandbox, default: []].formUnion(Sysctl.ofBalancers)
        outline.roles[.sandbox] = request.sandboxRole
        if request.takesPartInIngress, case .balancer(let detour, _, _, _) = outline.roles[.node] {
            outline.roles[.node] = .balancer(detour: detour, ingress: request.ingressPath(families))
            outline.forwarding.insert(.ipv6)
        }
        if request.takesPartInIngress || request.ledger[.node].hasPassage {
            outline.passage = request.ingressPath(families)
        }
        outline.links.append(SandboxLink.link(families))
        outline.links += request.balancerLinks(.sandbox, on: MeshNetwork.ingress, families: families)
        outline.links += Self.gatewayBridge(request, families)
    }

    package func compile(_ request: MeshRequest, on node: NodeFacts, into datapath: inout Datapath) {
        guard request.takesPartInIngress else { return }
        datapath.places[.sandbox] = Self.place(request)
        datapath.links.append(SandboxLink.link(node.families))
        datapath.links += request.balancerLinks(.sandbox, on: MeshNetwork.ingress, families: node.families)
        datapath.links += Self.gatewayBridge(request, node.families)
        datapath[.sandbox] = Self.sandbox(request, on: node)

        var content = datapath[.node]
        if case .balancer(let detour, _, _, _) = content.rules.role {
            content.rules.role = .balancer(detour: detour, ingress: request.ingressPath(node.families))
        }
        content.rules.owner = request.owner
        if node.filtersForwards.value ?? request.ledger[.node].hasPassage {
            content.passage = request.ingressPath(node.families)
        }
        content.sysctls[.ipv4Forwarding] = "1"
        if node.families.contains(.ipv6), request.ingressFamilies.contains(.ipv6) {
            content.sysctls.merge(HostBalancer.forwardingIPv6(request.ledger[.node], on: node)) { $1 }
        }
        for service in request.spec.services(by: .ingress) {
            for port in service.ports {
                content.rules.ports[port.listening] = PortRule(
                    mark: port.mark, allowed: port.allowed.isEmpty ? nil : Set(port.allowed),
                    families: request.ingressFamilies.intersection(node.families), isElsewhere: true)
            }
        }
        // A task that calls a published port of its own node would see itself or its neighbour as the client.
        for task in request.joinedTasks(on: node) {
            for address in task.attachment.defaultAddresses {
                content.rules.insiders.formUnion(node.networks(of: address).map(\.prefix))
            }
        }
        content.reservedPorts = PortReservation.reservable(content.rules.ports.keys, among: node.localPorts)
        datapath[.node] = content
    }

    private static func place(_ request: MeshRequest) -> Place {
        Place(id: .sandbox, existence: .own(name: request.namespaceName(of: .sandbox)), isOptional: true, rank: 1)
    }

    /// What the sandbox holds besides its links.
    private static func sandbox(_ request: MeshRequest, on node: NodeFacts) -> PlaceContent {
        var content = PlaceContent()
        content.rules = RuleSet(role: request.sandboxRole)
        content.rules.owner = request.owner
        content.sysctls = PortBalancing.sysctls(on: node)
        if node.families.contains(.ipv6) { content.sysctls[.ipv6Forwarding] = "1" }
        content.tcpTimeoutSeconds = PortBalancing.tcpTimeoutSeconds
        var entries: [Table.Entry] = []
        let services = request.spec.services(by: .ingress).map { $0.onIngress(request, node) }
        for service in services {
            let twins = PortBalancing.Twins(service)
            let tasks = Dictionary(grouping: service.tasks, by: \.address.family)
            for port in service.ports {
                let inner = port.inSandbox
                var families: Set<AddressFamily> = []
                for (family, tasks) in tasks where port.listening.address?.family ?? family == family {
                    families.insert(family)
                    entries.append(PortBalancing.entry(service, inner, family, tasks))
                    for task in tasks {
                        content.rules.tasks.insert(task.address)
                        if port.sourceIP == .nat {
                            content.rules.masqueraded.insert(BalancedPath(port.mark, to: task.address))
                        }
                    }
                }
                content.rules.ports[inner.listening] = PortBalancing.rule(inner, twins, families)
            }
        }
        let retiring = request.ledger[.sandbox].retiring
        content.rules.answering = PortBalancing.answering(services, retiring: retiring)
        content.ipvs = Table(entries)
        content.keep(retiring, of: request.spec)
        return content
    }

    /// The bridge by which tasks without default routes of their own reach the world outside.
    private static func gatewayBridge(_ request: MeshRequest, _ families: Set<AddressFamily>) -> [Link] {
        guard let node = request.ownNode else { return [] }
        let gateways = node.gatewaySubnets.filter { families.contains($0.family) }
            .map { InterfacePrefix(MeshNetwork.gateway(of: $0), length: $0.length) }
        guard let first = gateways.first else { return [] }
        var bridge = LinkEnd(
            MeshNames.gatewayBridge, in: .node, hardwareAddress: HardwareAddress(onOverlay: first.address))
        bridge.addresses = Set(gateways)
        bridge.claims = gateways.map(\.network)
        bridge.settings = Sysctl.quietIPv6(bridge.id.name, families)
        bridge.settings.merge(Sysctl.forwardingIPv4(bridge.id.name)) { $1 }
        return [.single(.bridge, bridge, for: .sandbox, alias: "meshctl: the gateway of attached tasks")]
    }
}

extension MeshRequest {
    /// The families of the ingress network.
    var ingressFamilies: Set<AddressFamily> {
        Set(spec.networks[MeshNetwork.ingress]?.subnets.map(\.family) ?? [])
    }

    /// The role of the rules in the sandbox.
    var sandboxRole: RuleRole { .balancer(detour: nil, sourcePorts: sourcePorts, mtu: overlayMTU) }

    /// How this node sends connections into its sandbox.
    func ingressPath(_ families: Set<AddressFamily>) -> IngressPath {
        IngressPath(
            addresses: SandboxLink.addresses.filtered(by: families).place.map(\.address),
            interface: MeshNames.sandboxLink, bridge: MeshNames.gatewayBridge,
            subnets: ownNode?.gatewaySubnets.filter { families.contains($0.family) } ?? [])
    }

    /// The source ports that packets get when this node balances them; nil if they keep those of the clients.
    ///
    /// A task knows a connection by the client's address and port. If a client used one port for connections by two
    /// nodes to the same task, the second would hang. Where the kernel of the task's node has conntrack zones, the task
    /// keeps such connections apart. As soon as one node with tasks is not known to have them, each node has source ports
    /// of its own, for all tasks: which the spec decides, so that all nodes decide alike.
    var sourcePorts: ClosedRange<UInt16>? {
        guard spec.nodes.count > 1, let number = ownNode?.number,
            spec.services.values.contains(where: { service in
                service.tasks.contains { $0.attachment != nil && spec.nodes[$0.node ?? ""]?.hasZones != true }
            })
        else { return nil }
        // The number of shares is a power of two, so that a further node seldom changes those of the others.
        let greatest = spec.nodes.values.map(\.number).max() ?? 1
        var shares = 2
        while shares < greatest { shares *= 2 }
        let size = (Int(UInt16.max) + 1 - 1024) / shares
        let first = 1024 + (number - 1) * size
        return UInt16(first)...UInt16(first + size - 1)
    }
}

extension MeshSpec.Service {
    /// The service as the sandbox balances it: each address of a task on the ingress network is a task of its own.
    fileprivate func onIngress(_ request: MeshRequest, _ node: NodeFacts) -> Self {
        var service = self
        service.tasks = reachableTasks(on: MeshNetwork.ingress, request, node)
        return service
    }
}
