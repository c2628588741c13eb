import IPVSKit
import MeshKit
import RuleKit

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
