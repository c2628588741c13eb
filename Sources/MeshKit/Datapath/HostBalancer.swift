package import IPVSKit
import RuleKit

/// The balancer in the node's own namespace: services and rules for tasks that the node's routes reach.
package struct HostBalancer: DatapathPart {
    package init() {}

    package func outline(_ request: MeshRequest, into outline: inout Outline) {
        outline.balancers.insert(.node)
        outline.roles[.node] = .balancer(detour: nil)
        outline.sysctls[.node, default: []].formUnion(Sysctl.ofBalancers)
        let isIPv6 = request.spec.services.values.contains { service in
            !service.ports.isEmpty && service.tasks.contains { $0.address.family == .ipv6 }
        }
        outline.forwarding.insert(.ipv4)
        if isIPv6 || request.ledger[.node].settings[.ipv6Forwarding] != nil { outline.forwarding.insert(.ipv6) }
    }

    package func lookups(_ request: MeshRequest, on node: NodeFacts) -> Set<IPAddress> {
        Self.tasksSeeingClients(request, on: node).filter(node.isElsewhere)
    }

    package func compile(_ request: MeshRequest, on node: NodeFacts, into datapath: inout Datapath) {
        guard request.publishesAnything else { return }
        var content = PlaceContent()
        var entries: [Table.Entry] = []
        let local = request.localAddresses
        let own = Set(node.addresses.map(\.address))
        let retiring = Dictionary(grouping: request.ledger[.node].retiring, by: \.mark)
        content.rules = RuleSet(role: .balancer(detour: nil))
        content.rules.owner = request.owner
        for service in request.spec.services.values {
            let twins = Twins(service)
            let tasks = Dictionary(grouping: service.tasks, by: \.address.family)
            for port in service.ports where !request.foreignMarks.contains(port.mark) {
                var families: Set<AddressFamily> = []
                // A family without tasks gets no service: a kernel without IPv6 would refuse one.
                for (family, tasks) in tasks where port.listening.address?.family ?? family == family {
                    families.insert(family)
                    entries.append(Self.entry(service, port, family, tasks, retiring[port.mark] ?? []))
                    for task in tasks {
                        content.rules.tasks.insert(task.address)
                        if port.hidesClient(from: task.address, local: local, own: own) {
                            content.rules.masqueraded.insert(BalancedPath(port.mark, to: task.address))
                        }
                    }
                }
                content.rules.ports[port.listening] = Self.rule(port, twins, families)
            }
        }
        Self.addHairpins(
            for: content.rules.tasks, seeing: Self.tasksSeeingClients(request, on: node), on: node, to: &content)
        content.rules.answering = Self.answering(request)
        content.ipvs = Table(entries)
        content.sysctls = Self.sysctls(entries, request.ledger[.node], on: node)
        content.tcpTimeoutSeconds = Self.tcpTimeoutSeconds
        content.reservedPorts = PortReservation.reservable(content.rules.ports.keys, among: node.localPorts)
        datapath[.node] = content
    }

    /// The tasks that see the client's address through at least one published port.
    static func tasksSeeingClients(_ request: MeshRequest, on node: NodeFacts) -> Set<IPAddress> {
        let local = request.localAddresses
        let own = Set(node.addresses.map(\.address))
        var seeing: Set<IPAddress> = []
        for service in request.spec.services.values {
            let choices = Dictionary(grouping: service.ports) { Sight(port: $0) }.values.compactMap(\.first)
            for task in service.tasks
            where choices.contains(where: {
                $0.isFor(task) && !$0.hidesClient(from: task.address, local: local, own: own)
            }) {
                seeing.insert(task.address)
            }
        }
        return seeing
    }

    /// The properties of a port that decide whether a task sees its clients' addresses. Ports that agree in them need
    /// to be examined once only.
    private struct Sight: Hashable {
        var family: AddressFamily?
        var sourceIP: SourceIP

        init(port: PublishedPort) {
            family = port.listening.address?.family
            sourceIP = port.sourceIP
        }
    }

    /// The ports from which tasks answer, for TCP and SCTP. UDP needs no protection: a datagram that conntrack calls
    /// INVALID is damaged, and no host answers a damaged datagram.
    private static func answering(_ request: MeshRequest) -> Set<TaskPorts> {
        struct Kind: Hashable {
            var transport: TransportProtocol
            var family: AddressFamily
        }
        struct Place: Hashable {
            var task: IPAddress
            var transport: TransportProtocol
        }
        var served: [Place: RangeSet<Int>] = [:]
        for path in request.ledger[.node].retiring where path.binding.transport != .udp {
            for destination in path.destinations where destination.port != 0 {
                let port = Int(destination.port)
                served[Place(task: destination.address, transport: path.binding.transport), default: RangeSet()]
                    .insert(contentsOf: port..<port + 1)
            }
        }
        for service in request.spec.services.values {
            var targets: [Kind: RangeSet<Int>] = [:]
            for port in service.ports where port.listening.transport != .udp {
                let range = Int(port.targets.lowerBound)..<Int(port.targets.upperBound) + 1
                for family in port.listening.address.map({ [$0.family] }) ?? AddressFamily.allCases {
                    targets[Kind(transport: port.listening.transport, family: family), default: RangeSet()]
                        .insert(contentsOf: range)
                }
            }
            for task in service.tasks {
                for (kind, ports) in targets where kind.family == task.address.family {
                    served[Place(task: task.address, transport: kind.transport), default: RangeSet()].formUnion(ports)
                }
            }
        }
        return Set(
            served.flatMap { place, ports in
                ports.ranges.map {
                    TaskPorts(place.task, place.transport, UInt16($0.lowerBound)...UInt16($0.upperBound - 1))
                }
            })
    }

    /// In seconds: longer than the two hours after which Linux begins to probe an idle connection. If IPVS forgot the
    /// connection before that, the connection would end with its next packet.
    static let tcpTimeoutSeconds: UInt32 = 7500

    /// - Parameter families: the families that have tasks.
    private static func rule(_ port: PublishedPort, _ twins: Twins, _ families: Set<AddressFamily>) -> PortRule {
        // A persistent service by mark ignores the ports of its destinations, and a destination of a range keeps the
        // packet's port. In both cases the rules translate the port before IPVS sees the packet.
        let isTranslated = port.isShifted && (port.stickySeconds != nil || port.listening.isRange)
        return PortRule(
            mark: port.mark, allowed: port.allowed.isEmpty ? nil : Set(port.allowed),
            target: isTranslated ? port.target : nil, twin: twins.first(of: port), families: families)
    }

    /// Groups of single ports of one service that lead to the same target port. Each group is known by its lowest port.
    ///
    /// IPVS finds the connection of a task's reply by the addresses and ports of the task and the client alone. If one
    /// client port had two connections to one task port, through two published ports, IPVS would send the replies of
    /// both connections to the same published port. So the rules translate all ports of the group to the lowest one,
    /// and IPVS sees a single published port. conntrack still distinguishes the two connections: it gives one of them
    /// another source port.
    private struct Twins {
        private struct Key: Hashable {
            var target: UInt16
            var transport: TransportProtocol
            var address: IPAddress?
        }

        private var first: [Key: UInt16] = [:]

        init(_ service: MeshSpec.Service) {
            for port in service.ports {
                guard let key = Self.key(port) else { continue }
                first[key] = min(first[key] ?? .max, port.listening.ports.lowerBound)
            }
        }

        private static func key(_ port: PublishedPort) -> Key? {
            guard !port.listening.isRange, port.stickySeconds == nil else { return nil }
            return Key(
                target: port.target, transport: port.listening.transport, address: port.listening.address)
        }

        /// The lowest port of the group; nil if the port itself is the lowest, or has no group.
        func first(of port: PublishedPort) -> UInt16? {
            guard let lowest = Self.key(port).flatMap({ first[$0] }) else { return nil }
            return lowest == port.listening.ports.lowerBound ? nil : lowest
        }
    }

    /// The service for one port and family.
    ///
    /// - Parameter retiring: paths of the port that take no new connections and stay until their last connection has
    ///   ended.
    private static func entry(
        _ service: MeshSpec.Service, _ port: PublishedPort, _ family: AddressFamily, _ tasks: [SpecTask],
        _ retiring: [RetiringPath]
    ) -> Table.Entry {
        // Port 0 keeps the packet's port.
        let targetPort = port.listening.isRange ? 0 : port.target
        let left = Set(retiring.flatMap(\.destinations)).filter { id in
            id.address.family == family && !(id.port == targetPort && tasks.contains { $0.address == id.address })
        }
        return Table.Entry(
            VirtualService(
                id: .firewallMark(port.mark, family), scheduler: service.scheduler, flags: flags(service.scheduler),
                persistence: port.stickySeconds.map { .init(timeoutSeconds: $0) }),
            destinations: tasks.map { Destination($0.address, port: targetPort, weight: $0.weight) }
                + left.map { Destination($0.address, port: $0.port, weight: 0) })
    }

    /// Without the fallback flag, a hashing scheduler refuses every client that hashes to a draining task.
    private static func flags(_ scheduler: Scheduler) -> VirtualService.Flags {
        [.sourceHashing, .maglevHashing].contains(scheduler) ? .hashFallback : []
    }

    /// Adds the networks within which packets are masqueraded, and the bridge ports that need hairpin mode. A task that
    /// sees the address of its neighbour as the client would answer the neighbour directly, past the node; a task that
    /// sees its own address would get no answer at all.
    ///
    /// - Parameter seeing: the tasks that see a client's address at all.
    private static func addHairpins(
        for tasks: Set<IPAddress>, seeing: Set<IPAddress>, on node: NodeFacts, to content: inout PlaceContent
    ) {
        for task in tasks where !node.isOwn(task) {
            let networks = node.networks(of: task)
            // Even a task outside all known networks can be balanced to itself.
            if networks.isEmpty, seeing.contains(task) { content.rules.hairpins.insert(IPPrefix(task)) }
            for (prefix, interface) in networks {
                if seeing.contains(task) { content.rules.hairpins.insert(prefix) }
                // With br_netfilter, the answer of a task to itself is translated within the bridge. Without hairpin
                // mode, the bridge does not send a packet back through the port on which it arrived.
                guard node.filtersBridges, let ports = node.bridgePorts.value?[interface] else { continue }
                content.hairpinPorts.formUnion(ports.keys)
            }
        }
    }

    private static func sysctls(
        _ entries: [Table.Entry], _ holdings: Holdings, on node: NodeFacts
    ) -> [Sysctl: String] {
        var sysctls: [Sysctl: String] = [
            .ipv4Forwarding: "1", .ipvsConntrack: "1", .expireNoDestination: "1", .expireQuiescentTemplate: "1",
        ]
        // Before Linux 5.9 this setting delayed each connection that reused a port by a second.
        if node.kernel >= KernelVersion(major: 5, minor: 9) { sysctls[.connectionReuse] = "1" }
        if entries.contains(where: { $0.service.id.family == .ipv6 }) {
            sysctls[.ipv6Forwarding] = "1"
            for interface in interfacesMindingRouters(holdings, on: node) {
                sysctls[.acceptRouterAdvertisements(interface)] = "2"
            }
        }
        return sysctls
    }

    /// The interfaces that would ignore router advertisements because the mesh switches forwarding on, or has done so:
    /// with `accept_ra` 1, an interface obeys them only while it does not forward.
    private static func interfacesMindingRouters(_ holdings: Holdings, on node: NodeFacts) -> [String] {
        let isOurs = holdings.settings[.ipv6Forwarding] != nil
        guard isOurs || node.settings[.ipv6Forwarding] == "0" else { return [] }
        return node.outwardInterfaces.filter { interface in
            guard node.settings[.acceptRouterAdvertisements(interface)] == "1" else { return false }
            let forwarding = Sysctl.forwarding(interface, .ipv6)
            if node.settings[forwarding] == "0" { return true }
            // The value before the mesh changed it. An interface that was created since had the former default.
            let former = holdings.settings[forwarding] ?? holdings.settings[.forwarding("default", .ipv6)]
            return isOurs && former?.found == "0"
        }
    }
}
