import IPVSKit
import RuleKit

/// The namespaces of attached tasks: their interfaces on the networks, and how their replies find the node from which a
/// connection came.
package struct TaskPlaces: DatapathPart {
    package init() {}

    package func outline(_ request: MeshRequest, into outline: inout Outline) {
        for task in request.ownAttachedTasks {
            outline.places[task.place] = Self.place(task.attachment.namespace, inode: task.attachment.inode)
            outline.links += Self.links(of: task, request, families: Set(AddressFamily.allCases))
            outline.roles[task.place] = .task(.none)
            outline.routed.insert(task.place)
        }
        for task in request.joinableTasks {
            outline.roles[task.place] = .task(Self.taskReturn(task, request, families: Set(AddressFamily.allCases)))
        }
        // Tasks that an earlier spec had.
        for place in request.ledger.places.keys where outline.places[place] == nil {
            guard let namespace = place.taskNamespace else { continue }
            outline.places[place] = Self.place(namespace, inode: nil)
            outline.roles[place] = .task(.none)
            outline.routed.insert(place)
        }
    }

    package func compile(_ request: MeshRequest, on node: NodeFacts, into datapath: inout Datapath) {
        for task in request.joinedTasks(on: node) {
            datapath.places[task.place] = Self.place(task.attachment.namespace, inode: task.attachment.inode)
            datapath.links += Self.links(of: task, request, families: node.families)
            var content = PlaceContent()
            content.rules = RuleSet(role: .task(Self.taskReturn(task, request, families: node.families)))
            content.rules.owner = request.owner
            if task.attachment.addresses[MeshNetwork.ingress] != nil {
                for (_, way) in request.waysBack {
                    for address in way.addresses where node.families.contains(address.family) {
                        content.routingRules.insert(
                            RoutingRule(address.family, mark: way.mark, table: RouteTable(way.mark)))
                    }
                }
            }
            datapath[task.place] = content
        }
    }

    private static func place(_ namespace: String, inode: UInt64?) -> Place {
        Place(id: .task(namespace), existence: .lent(.file(namespace, inode: inode)), isOptional: true, rank: 3)
    }

    private static func taskReturn(
        _ task: TaskPlacement, _ request: MeshRequest, families: Set<AddressFamily>
    ) -> TaskReturn {
        let network = request.spec.networks[MeshNetwork.ingress]
        guard let network, let own = task.attachment.addresses[MeshNetwork.ingress] else {
            return .none
        }
        return TaskReturn(
            interface: MeshNames.task(on: network),
            senders: request.waysBack.sorted { $0.value.mark < $1.value.mark }.compactMap { _, way in
                MeshNetwork.hardwareAddress(way.addresses).map {
                    TaskReturn.Sender(hardwareAddress: $0.description, mark: way.mark)
                }
            },
            subnets: network.subnets(of: families),
            destinations: own.map(\.family).filter(families.contains).compactMap { family in
                (task.attachment.defaultAddresses + task.attachment.gatewayAddresses).first { $0.family == family }
            }, hasZones: request.hasZones == true)
    }

    // MARK: Links

    private static func links(of task: TaskPlacement, _ request: MeshRequest, families: Set<AddressFamily>) -> [Link] {
        var links: [Link] = []
        for (name, addresses) in task.attachment.addresses.sorted(by: { $0.key < $1.key }) {
            guard let network = request.spec.networks[name], let hardware = MeshNetwork.hardwareAddress(addresses)
            else { continue }
            var inner = LinkEnd(MeshNames.task(on: network), in: task.place, hardwareAddress: hardware)
            inner.addresses = Set(
                addresses.filter { families.contains($0.family) }.compactMap(network.prefix(of:)))
            inner.mtu = request.overlayMTU
            inner.settings = settings(of: inner)
            if name == MeshNetwork.ingress {
                for (_, way) in request.waysBack {
                    for address in way.addresses where families.contains(address.family) {
                        inner.routes.insert(
                            .byDefault(address.family, via: address, table: RouteTable(way.mark)))
                    }
                }
            }
            var port = LinkEnd(
                MeshNames.port(to: addresses[0]), in: .overlay(name),
                hardwareAddress: HardwareAddress(portTo: addresses[0]))
            port.bridge = MeshNames.bridge
            port.mtu = inner.mtu
            links.append(.pair(inner, port, for: task.place, alias: "meshctl: a task on the network \(name)"))
        }
        if let link = gatewayLink(of: task, request, families: families) { links.append(link) }
        return links
    }

    /// The link to the gateway bridge, by which the task has its default routes. A task that has default routes of its
    /// own keeps them, and needs no such link.
    private static func gatewayLink(
        of task: TaskPlacement, _ request: MeshRequest, families: Set<AddressFamily>
    ) -> Link? {
        // The names follow the spec, whichever of the addresses are needed here.
        guard let first = task.attachment.gatewayAddresses.first, let node = request.ownNode else { return nil }
        let addresses = task.attachment.gatewayAddresses.filter {
            families.contains($0.family) && !task.familiesWithWayOut.contains($0.family)
        }
        guard !addresses.isEmpty else { return nil }
        var inner = LinkEnd(
            MeshNames.taskGateway, in: task.place, hardwareAddress: HardwareAddress(onOverlay: first))
        for address in addresses {
            guard let subnet = node.gatewaySubnets.first(where: { $0.contains(address) }) else { continue }
            inner.addresses.insert(InterfacePrefix(address, length: subnet.length))
            inner.routes.insert(.byDefault(address.family, via: MeshNetwork.gateway(of: subnet)))
        }
        inner.settings = settings(of: inner)
        var port = LinkEnd(
            MeshNames.gatewayPort(to: first), in: .node, hardwareAddress: HardwareAddress(portTo: first))
        port.bridge = MeshNames.gatewayBridge
        port.isIsolated = true
        return .pair(inner, port, for: task.place, alias: "meshctl: a task on the gateway bridge")
    }

    /// Packets of clients arrive on an interface to which no route to the client leads, so that a strict check of
    /// source addresses would drop them. Containers often have IPv6 switched off for all their interfaces.
    private static func settings(of end: LinkEnd) -> [Sysctl: String] {
        var settings = [Sysctl(rawValue: "net/ipv4/conf/\(end.id.name)/rp_filter"): "2"]
        if end.addresses.contains(where: { $0.address.family == .ipv6 }) {
            settings.merge(Sysctl.quietIPv6(end.id.name, [.ipv6])) { $1 }
        }
        return settings
    }
}

/// The way back to a node's sandbox, for the replies to connections that came from there.
struct WayBack: Hashable {
    /// The mark of these connections in a task's namespace, which is also the number of the routing table.
    var mark: UInt32
    /// The sandbox's addresses on the ingress network.
    var addresses: [IPAddress]
}

extension MeshRequest {
    /// The ways back to the sandboxes of all nodes, by the nodes' names.
    var waysBack: [String: WayBack] {
        var ways: [String: WayBack] = [:]
        for (name, addresses) in spec.networks[MeshNetwork.ingress]?.balancers ?? [:] {
            guard let node = spec.nodes[name] else { continue }
            ways[name] = WayBack(mark: Self.firstMark + UInt32(node.number), addresses: addresses)
        }
        return ways
    }

    /// Marks in a task's namespace concern nobody outside. The bytes are those of "m" and the node's number.
    private static let firstMark: UInt32 = 0x6D00
}

extension HardwareAddress {
    /// The address of the bridge's end of the link to the task with an address.
    init(portTo address: IPAddress) { self.init([0x02, 0x43] + HardwareAddress(onOverlay: address).bytes.suffix(4)) }
}

extension TaskReturn {
    /// That of a task to which no sandbox sends connections.
    fileprivate static let none = TaskReturn(interface: "", senders: [], subnets: [])
}
