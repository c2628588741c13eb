import IPVSKit
import MeshKit
import RuleKit

/// `1 task`, `2 tasks`.
func counted(_ count: Int, _ noun: String) -> String { count == 1 ? "1 \(noun)" : "\(count) \(noun)s" }

/// `status`: a line for each published port.
struct StatusReport: Display {
    struct Port: Encodable {
        var published: PublishedPort
        var service: String
        var scheduler: Scheduler
        /// The namespace whose IPVS balances the connections.
        var place: PlaceID
        /// How many tasks were added for the port, and how many of them the kernel has.
        var tasks: Int
        var tasksInKernel: Int
        /// The kernel's moving average over about eight seconds.
        var connectionsPerSecond: UInt64
        var connections: UInt64
        var activeConnections: UInt64
        /// Nil if there is no task.
        var clientAddress: ClientAddress?

        private enum CodingKeys: String, CodingKey {
            case service, scheduler, place, tasks, tasksInKernel, connectionsPerSecond, connections, activeConnections
            case clientAddress
        }

        /// Encodes one flat object: the fields of the published port, and the fields of the report.
        func encode(to encoder: any Encoder) throws {
            try PortFields(published).encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(service, forKey: .service)
            try container.encode(scheduler, forKey: .scheduler)
            try container.encode(place.rawValue, forKey: .place)
            try container.encode(tasks, forKey: .tasks)
            try container.encode(tasksInKernel, forKey: .tasksInKernel)
            try container.encode(connectionsPerSecond, forKey: .connectionsPerSecond)
            try container.encode(connections, forKey: .connections)
            try container.encode(activeConnections, forKey: .activeConnections)
            try container.encodeIfPresent(clientAddress, forKey: .clientAddress)
        }
    }

    var ports: [Port]
    /// How many changes the kernel needs to hold what it should.
    var drift: Int
    /// The former paths of ports that stay until their connections have ended.
    var retiring: [RetiringFields]
    /// The tasks that have less than their share of new connections.
    var startingSlowly: [StartingFields]

    private enum CodingKeys: String, CodingKey { case ports, drift, retiring, startingSlowly }

    init(_ view: MeshView, _ plan: Plan) throws {
        drift = plan.steps.count
        retiring = plan.retiring.map(RetiringFields.init)
        startingSlowly = plan.starting.map(StartingFields.init)
        // Grouped by mark once: with thousands of ports, a search for each port would take longer than everything else.
        let services = Dictionary(grouping: view.observed.services) { $0.id.firewallMark }
        let own = try NodeAddress.all()
        let local = view.localAddresses
        ports = view.spec.services.flatMap { name, service in
            service.ports.map { port in
                let found = services[port.mark] ?? []
                let destinations = found.flatMap(\.destinations)
                let present = Set(destinations.map(\.id.address))
                let tasks = service.balancedTasks.filter {
                    (service.balancing == .ingress || port.isFor($0)) && port.leads(to: $0)
                }
                return Port(
                    published: port, service: name, scheduler: service.scheduler,
                    place: service.balancing.place, tasks: tasks.count,
                    tasksInKernel: tasks.filter { present.contains($0.address) }.count,
                    connectionsPerSecond: found.reduce(0) { $0 + $1.statistics.connectionRate },
                    connections: found.reduce(0) { $0 + $1.statistics.connections },
                    activeConnections: destinations.reduce(0) { $0 + UInt64($1.activeConnections) },
                    clientAddress: ClientAddress([port], tasks, local: local, own: own))
            }
        }
        .sorted { $0.published.listening < $1.published.listening }
    }

    var lines: [String] {
        let note =
            drift == 0
            ? []
            : ["", "The kernel does not hold what it should: \(counted(drift, "change")) to make.  See:  meshctl plan"]
        let lines =
            ports.isEmpty
            ? ["Nothing is published.  Begin with:  meshctl publish PORT:TARGET SERVICE"] : table.render()
        return lines
            + [retiring.map(\.description), startingSlowly.map(\.description)].flatMap { $0.isEmpty ? [] : [""] + $0 }
            + note
    }

    private var table: TextTable {
        TextTable(
            columns: [
                .init(title: "PORT"), .init(title: "SERVICE"), .init(title: "TASKS"),
                .init(title: "CONN/S", isNumeric: true), .init(title: "CONNS", isNumeric: true),
                .init(title: "ACTIVE", isNumeric: true), .init(title: "CLIENT IP"), .init(title: "SCHEDULER"),
                .init(title: "PLACE"),
            ],
            rows: ports.map { port in
                [
                    port.published.description, port.service,
                    "\(port.tasksInKernel)/\(port.tasks)",
                    "\(port.connectionsPerSecond)", "\(port.connections)", "\(port.activeConnections)",
                    port.clientAddress?.rawValue ?? "-", port.scheduler.rawValue, port.place.rawValue,
                ]
            })
    }
}

/// `task ls`.
struct TaskReport: Display {
    struct Row: Encodable {
        var service: String
        var address: IPAddress
        var weight: UInt32
        /// Whether the task drains: it gets no new connections, whatever its weight.
        var draining: Bool
        /// Whether the task's source says that it cannot serve.
        var unhealthy: Bool
        /// Whether the task has less than its share of new connections on this node, since it is new or was not healthy.
        var startingSlowly: Bool
        /// Who has found the task; nil for one of the operator's.
        var source: String?
        var local: Bool
        /// The name of the node that the task is behind or on; nil if nobody said.
        var node: String?
        /// Nil for a task that the host's routes reach.
        var attachment: AttachmentFields?
        /// Nil if no port of the service leads to the task.
        var clientAddress: ClientAddress?
    }

    var tasks: [Row]

    /// - Parameter service: nil for the tasks of all services.
    init(_ saved: SavedMesh, service: String?) throws {
        if let service { _ = try saved.spec.service(service) }
        let own = try NodeAddress.all()
        let local = saved.localAddresses
        tasks = saved.spec.services.sorted { $0.key < $1.key }
            .filter { service == nil || $0.key == service }
            .flatMap { name, service in
                service.tasks.map {
                    Row(
                        service: name, address: $0.address, weight: $0.weight, draining: $0.isDraining,
                        unhealthy: $0.isUnhealthy, startingSlowly: saved.isStarting($0, of: name),
                        source: $0.origin?.description,
                        local: local.contains($0.address) || $0.isAttached(to: saved.node), node: $0.node,
                        attachment: AttachmentFields($0),
                        clientAddress: ClientAddress(service.ports, [$0], local: local, own: own))
                }
            }
    }

    /// The nodes and networks have columns only if any task is attached, and containers and sources only if there are any.
    var lines: [String] {
        let isAttached = tasks.contains { $0.attachment != nil }
        let isContainer = tasks.contains { $0.attachment?.container != nil }
        let isFound = tasks.contains { $0.source != nil }
        let columns: [TextTable.Column] = [
            .init(title: "SERVICE"), .init(title: "ADDRESS"), .init(title: "WEIGHT", isNumeric: true),
            .init(title: "CLIENT IP"),
        ]
        return TextTable(
            columns: columns + (isAttached ? [.init(title: "NODE"), .init(title: "NETWORKS")] : [])
                + (isContainer ? [.init(title: "CONTAINER")] : []) + (isFound ? [.init(title: "FOUND BY")] : []),
            rows: tasks.map { task in
                [
                    task.service, "\(task.address)",
                    shown(task.weight, task.draining, task.unhealthy, task.startingSlowly),
                    task.clientAddress?.rawValue ?? "-",
                ]
                    + (isAttached
                        ? [task.node ?? "-", task.attachment?.names.joined(separator: ",") ?? "-"] : [])
                    + (isContainer ? [task.attachment?.container ?? "-"] : []) + (isFound ? [task.source ?? "-"] : [])
            }
        ).render()
    }
}

/// A task's weight: `2`, `2, draining`, `2, unhealthy` or `2, starting slowly`.
private func shown(_ weight: UInt32, _ isDraining: Bool, _ isUnhealthy: Bool, _ isStarting: Bool) -> String {
    "\(weight)\(isDraining ? ", draining" : "")\(isUnhealthy ? ", unhealthy" : "")"
        + (isStarting ? ", starting slowly" : "")
}

extension SpecTask {
    fileprivate func isAttached(to node: String) -> Bool { attachment != nil && self.node == node }
}

/// `service ls`.
struct ServiceReport: Display {
    var services: [ServiceDetails]

    init(_ saved: SavedMesh) {
        services = saved.spec.services.sorted { $0.key < $1.key }
            .map { ServiceDetails($0.key, $0.value, in: saved) }
    }

    /// The networks have a column only if any service is on one.
    var lines: [String] {
        let isOnNetworks = services.contains { !$0.networks.isEmpty }
        let columns: [TextTable.Column] = [
            .init(title: "SERVICE"), .init(title: "PORTS"), .init(title: "TASKS", isNumeric: true),
            .init(title: "SCHEDULER"),
        ]
        return TextTable(
            columns: columns + (isOnNetworks ? [.init(title: "NETWORKS")] : []),
            rows: services.map { service in
                [
                    service.name, service.ports.map(\.description).joined(separator: ","), "\(service.tasks.count)",
                    service.scheduler.rawValue,
                ] + (isOnNetworks ? [service.networks.isEmpty ? "-" : service.networks.joined(separator: ",")] : [])
            }
        ).render()
    }
}

/// `service inspect`: the ports with their marks, and the tasks.
struct ServiceDetails: Display {
    var name: String
    var scheduler: Scheduler
    var ports: [PublishedPort]
    var tasks: [TaskFields]
    /// The balancer that serves the published ports.
    var balancing: Balancing
    /// The service's addresses by the network's name.
    var virtualAddresses: [String: VirtualAddressFields]
    /// How it is found out whether tasks can serve.
    var healthCheck: HealthCheck?
    /// For how many seconds tasks start slowly.
    var slowStartSeconds: UInt32?
    /// Who has made the service.
    var origin: Origin?

    private enum CodingKeys: String, CodingKey {
        case name, scheduler, ports, tasks, balancing, virtualAddresses, health, slowStartSeconds, source
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(scheduler, forKey: .scheduler)
        try container.encode(ports.map(PortFields.init), forKey: .ports)
        try container.encode(tasks, forKey: .tasks)
        try container.encode(balancing, forKey: .balancing)
        if !virtualAddresses.isEmpty { try container.encode(virtualAddresses, forKey: .virtualAddresses) }
        try container.encodeIfPresent(healthCheck?.description, forKey: .health)
        try container.encodeIfPresent(slowStartSeconds, forKey: .slowStartSeconds)
        try container.encodeIfPresent(origin?.description, forKey: .source)
    }

    init(_ name: String, _ service: MeshSpec.Service, in saved: SavedMesh) {
        self.name = name
        scheduler = service.scheduler
        ports = service.ports
        tasks = service.tasks.map { TaskFields($0, of: name, in: saved) }
        balancing = service.balancing
        virtualAddresses = service.virtualAddresses.mapValues(VirtualAddressFields.init)
        healthCheck = service.healthCheck
        slowStartSeconds = service.slowStartSeconds
        origin = service.origin
    }

    /// The networks that the service or any of its tasks is on, `ingress` first.
    var networks: [String] {
        Set(virtualAddresses.keys).union(tasks.flatMap { $0.attachment?.names ?? [] }).ingressFirst
    }

    var lines: [String] {
        let ports = TextTable(
            columns: [.init(title: "PORT"), .init(title: "MARK")],
            rows: ports.map { [$0.description, $0.mark.description] })
        let isAttached = tasks.contains { $0.attachment != nil }
        let columns: [TextTable.Column] = [
            .init(title: "TASK"), .init(title: "WEIGHT", isNumeric: true), .init(title: "LOCAL"),
        ]
        let tasks = TextTable(
            columns: columns + (isAttached ? [.init(title: "NODE"), .init(title: "ADDRESSES")] : []),
            rows: tasks.map { task in
                [
                    "\(task.address)",
                    shown(task.weight, task.draining, task.unhealthy, task.startingSlowly),
                    task.local ? "yes" : "no",
                ]
                    + (isAttached ? [task.node ?? "-", task.attachment?.words ?? "-"] : [])
            })
        let virtual = TextTable(
            columns: [.init(title: "NETWORK"), .init(title: "ADDRESSES"), .init(title: "MARK")],
            rows: virtualAddresses.sorted { $0.key < $1.key }.map { network, virtual in
                [
                    network, virtual.addresses.map(\.description).joined(separator: ","),
                    FirewallMark(rawValue: virtual.mark)?.description ?? "\(virtual.mark)",
                ]
            })
        let title =
            "\(name), scheduler \(scheduler)" + (healthCheck.map { ", health check \($0)" } ?? "")
            + (slowStartSeconds.map { ", slow start \(DurationText.text(of: $0))" } ?? "")
        return [title, ""] + ports.render() + [""] + tasks.render()
            + (virtualAddresses.isEmpty ? [] : [""] + virtual.render())
    }
}
