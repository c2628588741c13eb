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
            case service, scheduler, tasks, tasksInKernel, connectionsPerSecond, connections, activeConnections
            case clientAddress
        }

        /// Encodes one flat object: the fields of the published port, and the fields of the report.
        func encode(to encoder: any Encoder) throws {
            try PortFields(published).encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(service, forKey: .service)
            try container.encode(scheduler, forKey: .scheduler)
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

    init(_ view: MeshView, _ plan: Plan) throws {
        drift = plan.steps.count
        // Grouped by mark once: with thousands of ports, a search for each port would take longer than everything else.
        let services = Dictionary(grouping: view.observed.services) { $0.id.firewallMark }
        let own = try NodeAddress.all()
        let local = view.localAddresses
        ports = view.spec.services.flatMap { name, service in
            service.ports.map { port in
                let found = services[port.mark] ?? []
                let destinations = found.flatMap(\.destinations)
                let present = Set(destinations.map(\.id.address))
                let tasks = service.tasks.filter(port.isFor)
                return Port(
                    published: port, service: name, scheduler: service.scheduler, tasks: tasks.count,
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
        return lines + note
    }

    private var table: TextTable {
        TextTable(
            columns: [
                .init(title: "PORT"), .init(title: "SERVICE"), .init(title: "TASKS"),
                .init(title: "CONN/S", isNumeric: true), .init(title: "CONNS", isNumeric: true),
                .init(title: "ACTIVE", isNumeric: true), .init(title: "CLIENT IP"), .init(title: "SCHEDULER"),
            ],
            rows: ports.map { port in
                [
                    port.published.description, port.service,
                    "\(port.tasksInKernel)/\(port.tasks)",
                    "\(port.connectionsPerSecond)", "\(port.connections)", "\(port.activeConnections)",
                    port.clientAddress?.rawValue ?? "-", port.scheduler.rawValue,
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
        var local: Bool
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
                        service: name, address: $0.address, weight: $0.weight,
                        local: local.contains($0.address),
                        clientAddress: ClientAddress(service.ports, [$0], local: local, own: own))
                }
            }
    }

    var lines: [String] {
        TextTable(
            columns: [
                .init(title: "SERVICE"), .init(title: "ADDRESS"), .init(title: "WEIGHT", isNumeric: true),
                .init(title: "CLIENT IP"),
            ],
            rows: tasks.map { [$0.service, "\($0.address)", "\($0.weight)", $0.clientAddress?.rawValue ?? "-"] }
        ).render()
    }
}

/// `service ls`.
struct ServiceReport: Display {
    var services: [ServiceDetails]

    init(_ saved: SavedMesh) {
        services = saved.spec.services.sorted { $0.key < $1.key }
            .map { ServiceDetails($0.key, $0.value, on: saved.node) }
    }

    var lines: [String] {
        TextTable(
            columns: [
                .init(title: "SERVICE"), .init(title: "PORTS"), .init(title: "TASKS", isNumeric: true),
                .init(title: "SCHEDULER"),
            ],
            rows: services.map { service in
                [
                    service.name, service.ports.map(\.description).joined(separator: ","), "\(service.tasks.count)",
                    service.scheduler.rawValue,
                ]
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

    private enum CodingKeys: String, CodingKey { case name, scheduler, ports, tasks }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(scheduler, forKey: .scheduler)
        try container.encode(ports.map(PortFields.init), forKey: .ports)
        try container.encode(tasks, forKey: .tasks)
    }

    init(_ name: String, _ service: MeshSpec.Service, on node: String) {
        self.name = name
        scheduler = service.scheduler
        ports = service.ports
        tasks = service.tasks.map { TaskFields($0, on: node) }
    }

    var lines: [String] {
        let ports = TextTable(
            columns: [.init(title: "PORT"), .init(title: "MARK")],
            rows: ports.map { [$0.description, $0.mark.description] })
        let tasks = TextTable(
            columns: [.init(title: "TASK"), .init(title: "WEIGHT", isNumeric: true), .init(title: "LOCAL")],
            rows: tasks.map { ["\($0.address)", "\($0.weight)", $0.local ? "yes" : "no"] })
        return ["\(name), scheduler \(scheduler)", ""] + ports.render() + [""] + tasks.render()
    }
}
