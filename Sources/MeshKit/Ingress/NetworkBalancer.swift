import IPVSKit
import RuleKit

/// The balancers of the user networks: for each that this node takes part in, a namespace that answers for the virtual
/// addresses of services, and balances connections to them over the services' tasks on that network.
package struct NetworkBalancer: DatapathPart {
    package init() {}

    package func outline(_ request: MeshRequest, into outline: inout Outline) {
        let names = Set(request.spec.networks.keys.filter { $0 != MeshNetwork.ingress })
            .union(request.ledger.places.keys.compactMap(\.balancedNetwork))
        for name in names.sorted() {
            let place = PlaceID.balancer(name)
            outline.places[place] = Self.place(name, request)
            outline.balancers.insert(place)
            outline.roles[place] = .balancer(detour: nil)
            outline.sysctls[place, default: []].formUnion(Sysctl.ofBalancers)
            outline.links += request.balancerLinks(
                place, on: name, virtual: request.virtualAddresses(on: name), families: Set(AddressFamily.allCases))
        }
    }

    package func compile(_ request: MeshRequest, on node: NodeFacts, into datapath: inout Datapath) {
        for name in request.ownNetworks.keys.sorted() where name != MeshNetwork.ingress {
            let place = PlaceID.balancer(name)
            let virtual = request.virtualAddresses(on: name)
            guard !virtual.isEmpty, request.ledger[place].refusal == nil else { continue }
            datapath.places[place] = Self.place(name, request)
            datapath.links += request.balancerLinks(place, on: name, virtual: virtual, families: node.families)
            datapath[place] = Self.content(name, request, on: node)
        }
    }

    private static func place(_ name: String, _ request: MeshRequest) -> Place {
        Place(
            id: .balancer(name), existence: .own(name: request.namespaceName(of: .balancer(name))), isOptional: true,
            rank: 1)
    }

    private static func content(_ name: String, _ request: MeshRequest, on node: NodeFacts) -> PlaceContent {
        var content = PlaceContent()
        content.rules = RuleSet(role: .balancer(detour: nil))
        content.rules.owner = request.owner
        content.sysctls = PortBalancing.sysctls(on: node)
        if node.families.contains(.ipv6) { content.sysctls[.ipv6Forwarding] = "1" }
        content.tcpTimeoutSeconds = PortBalancing.tcpTimeoutSeconds
        var entries: [Table.Entry] = []
        for service in request.spec.services.values {
            guard let virtual = service.virtualAddresses[name] else { continue }
            let tasks = service.reachableTasks(on: name, request, node)
            for address in virtual.addresses where node.families.contains(address.family) {
                content.rules.virtualAddresses[address] = virtual.mark
                let family = tasks.filter { $0.address.family == address.family }
                entries.append(
                    Table.Entry(
                        VirtualService(
                            id: .firewallMark(virtual.mark, address.family), scheduler: service.scheduler,
                            flags: PortBalancing.flags(service.scheduler)),
                        // Port 0: connections keep the port that they came to.
                        destinations: family.map { Destination($0.address, port: 0, weight: $0.share) }))
                // The tasks are in the same network, and would answer the client directly, past the balancer.
                for task in family {
                    content.rules.masqueraded.insert(BalancedPath(virtual.mark, to: task.address))
                    content.rules.tasks.insert(task.address)
                }
            }
        }
        content.ipvs = Table(entries)
        return content
    }
}

extension MeshRequest {
    /// The virtual addresses of all services on a network.
    func virtualAddresses(on network: String) -> Set<IPAddress> {
        Set(spec.services.values.flatMap { $0.virtualAddresses[network]?.addresses ?? [] })
    }
}

extension MeshSpec.Service {
    /// The addresses of the tasks on a network, each as a task of its own. Tasks of this node that are gone, or that
    /// this host refused, are left out.
    func reachableTasks(on network: String, _ request: MeshRequest, _ node: NodeFacts) -> [SpecTask] {
        balancedTasks.flatMap { task -> [SpecTask] in
            guard let attachment = task.attachment, let name = task.node else { return [] }
            if name == request.ledger.node {
                let place = PlaceID.task(attachment.namespace)
                if node.gone.contains(place) || request.ledger[place].refusal != nil { return [] }
            }
            return (attachment.addresses[network] ?? []).filter { node.families.contains($0.family) }
                .map { SpecTask(address: $0, weight: task.weight, node: name, isDraining: task.isDraining) }
        }
        .sorted { $0.address < $1.address }
    }
}
