package import IPVSKit
import RuleKit

/// The balancer in the node's own namespace: services and rules for tasks that the node's routes reach.
package struct HostBalancer: DatapathPart {
    package init() {}

    package func outline(_ request: MeshRequest, into outline: inout Outline) {
        outline.balancers.insert(.node)
        outline.roles[.node] = .balancer(detour: nil)
        outline.sysctls[.node, default: []].formUnion(Sysctl.ofBalancers)
        outline.forwarding.insert(.ipv4)
        if request.hasIPv6TasksOnHost || request.ledger[.node].settings[.ipv6Forwarding] != nil {
            outline.forwarding.insert(.ipv6)
        }
    }

    package func lookups(_ request: MeshRequest, on node: NodeFacts) -> Set<IPAddress> {
        Self.tasksSeeingClients(request, on: node).filter(node.isElsewhere)
    }

    package func compile(_ request: MeshRequest, on node: NodeFacts, into datapath: inout Datapath) {
        guard request.balancesOnHost else { return }
        let services = request.spec.services(by: .host)
        var content = PlaceContent()
        var entries: [Table.Entry] = []
        let local = request.localAddresses
        let own = Set(node.addresses.map(\.address))
        let retiring = request.ledger[.node].retiring
        content.rules = RuleSet(role: .balancer(detour: nil))
        content.rules.owner = request.owner
        for service in services {
            let twins = PortBalancing.Twins(service)
            let tasks = Dictionary(grouping: service.balancedTasks, by: \.address.family)
            for port in service.ports where !request.foreignMarks.contains(port.mark) {
                var families: Set<AddressFamily> = []
                // A family without tasks gets no service: a kernel without IPv6 would refuse one.
                for (family, tasks) in tasks where port.listening.address?.family ?? family == family {
                    families.insert(family)
                    entries.append(PortBalancing.entry(service, port, family, tasks))
                    for task in tasks {
                        content.rules.tasks.insert(task.address)
                        if port.hidesClient(from: task.address, local: local, own: own) {
                            content.rules.masqueraded.insert(BalancedPath(port.mark, to: task.address))
                        }
                    }
                }
                content.rules.ports[port.listening] = PortBalancing.rule(port, twins, families)
            }
        }
        content.ipvs = Table(entries)
        content.keep(retiring, of: request.spec)
        Self.addHairpins(
            for: content.rules.tasks, seeing: Self.tasksSeeingClients(request, on: node), on: node, to: &content)
        content.rules.answering = PortBalancing.answering(services, retiring: retiring)
        content.sysctls = Self.sysctls(content.ipvs, request.ledger[.node], on: node)
        content.tcpTimeoutSeconds = PortBalancing.tcpTimeoutSeconds
        content.reservedPorts = PortReservation.reservable(content.rules.ports.keys, among: node.localPorts)
        datapath[.node] = content
    }

    /// The tasks that see the client's address through at least one published port.
    static func tasksSeeingClients(_ request: MeshRequest, on node: NodeFacts) -> Set<IPAddress> {
        let local = request.localAddresses
        let own = Set(node.addresses.map(\.address))
        var seeing: Set<IPAddress> = []
        for service in request.spec.services(by: .host) {
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
        _ table: Table, _ holdings: Holdings, on node: NodeFacts
    ) -> [Sysctl: String] {
        var sysctls = PortBalancing.sysctls(on: node)
        if table.entries.keys.contains(where: { $0.family == .ipv6 }) {
            sysctls.merge(forwardingIPv6(holdings, on: node)) { $1 }
        }
        return sysctls
    }

    /// The settings that switch IPv6 forwarding on, and keep the interfaces obeying router advertisements.
    static func forwardingIPv6(_ holdings: Holdings, on node: NodeFacts) -> [Sysctl: String] {
        var sysctls: [Sysctl: String] = [.ipv6Forwarding: "1"]
        for interface in interfacesMindingRouters(holdings, on: node) {
            sysctls[.acceptRouterAdvertisements(interface)] = "2"
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

extension MeshRequest {
    /// Whether the node's own balancer has connections, or takes new ones.
    var balancesOnHost: Bool { spec.publishes(by: .host) || !ledger[.node].retiring.isEmpty }

    /// Whether some of them go to IPv6 tasks.
    var hasIPv6TasksOnHost: Bool {
        spec.services(by: .host).contains { service in
            !service.ports.isEmpty && service.tasks.contains { $0.address.family == .ipv6 }
        } || ledger[.node].retiring.contains { $0.destinations.contains { $0.address.family == .ipv6 } }
    }
}
