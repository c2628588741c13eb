import IPVSKit
import MeshKit
import RuleKit

/// `status`: a line for each published port.
struct StatusReport: Display {
    struct Port: Encodable {
        var port: UInt16
        var transport: TransportProtocol
        var target: UInt16
        var service: String
        var scheduler: Scheduler
        var mark: FirewallMark
        /// Tasks asked for, and those of them that the kernel has.
        var tasks: Int
        var tasksInKernel: Int
        /// Over the last eight seconds or so.
        var connectionsPerSecond: UInt64
        var connections: UInt64
        var activeConnections: UInt64
        var clientAddress: ClientAddress
    }

    enum ClientAddress: String, Encodable {
        case kept, hidden, mixed
        case unknown = "-"

        init(_ tasks: [MeshTask]) {
            switch (tasks.contains(where: \.isLocal), tasks.contains { !$0.isLocal }) {
            case (true, false): self = .kept
            case (false, true): self = .hidden
            case (true, true): self = .mixed
            case (false, false): self = .unknown
            }
        }
    }

    var ports: [Port]

    init(_ state: MeshState, _ observed: ObservedDatapath) {
        ports = state.services.sorted { $0.key < $1.key }.flatMap { name, service in
            service.ports.map { port in
                let found = observed.services.filter { $0.id.firewallMark == port.mark }
                let destinations = found.flatMap(\.destinations)
                let present = Set(destinations.filter { $0.id.port == port.target }.map(\.id.address))
                return Port(
                    port: port.listening.port, transport: port.listening.transport, target: port.target, service: name,
                    scheduler: service.scheduler, mark: port.mark, tasks: service.tasks.count,
                    tasksInKernel: service.tasks.filter { present.contains($0.address) }.count,
                    connectionsPerSecond: found.reduce(0) { $0 + $1.statistics.connectionRate },
                    connections: found.reduce(0) { $0 + $1.statistics.connections },
                    activeConnections: destinations.reduce(0) { $0 + UInt64($1.activeConnections) },
                    clientAddress: ClientAddress(service.tasks))
            }
        }
        .sorted { ($0.port, $0.transport) < ($1.port, $1.transport) }
    }

    var table: TextTable {
        TextTable(
            columns: [
                .init(title: "PORT"), .init(title: "SERVICE"), .init(title: "TASKS"),
                .init(title: "CONN/S", isNumeric: true), .init(title: "CONNS", isNumeric: true),
                .init(title: "ACTIVE", isNumeric: true), .init(title: "CLIENT IP"), .init(title: "SCHEDULER"),
            ],
            rows: ports.map { port in
                [
                    "\(port.port)->\(port.target)/\(port.transport)", port.service, "\(port.tasksInKernel)/\(port.tasks)",
                    "\(port.connectionsPerSecond)", "\(port.connections)", "\(port.activeConnections)",
                    port.clientAddress.rawValue, port.scheduler.rawValue,
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
    }

    var tasks: [Row]

    /// - Parameter service: nil for the tasks of all services.
    init(_ state: MeshState, service: String?) throws {
        if let service { _ = try state.service(service) }
        tasks = state.services.sorted { $0.key < $1.key }
            .filter { service == nil || $0.key == service }
            .flatMap { name, service in
                service.tasks.map { Row(service: name, address: $0.address, weight: $0.weight, local: $0.isLocal) }
            }
    }

    var table: TextTable {
        TextTable(
            columns: [
                .init(title: "SERVICE"), .init(title: "ADDRESS"), .init(title: "WEIGHT", isNumeric: true),
                .init(title: "CLIENT IP"),
            ],
            rows: tasks.map { [$0.service, "\($0.address)", "\($0.weight)", $0.local ? "kept" : "hidden"] })
    }
}

/// `service ls` and `service inspect`.
struct ServiceReport: Display {
    struct Row: Encodable {
        var name: String
        var scheduler: Scheduler
        var ports: [PublishedPort]
        var tasks: [MeshTask]
    }

    var services: [Row]

    /// - Parameter names: nil for all services.
    init(_ state: MeshState, only name: String? = nil) throws {
        if let name { _ = try state.service(name) }
        services = state.services.sorted { $0.key < $1.key }
            .filter { name == nil || $0.key == name }
            .map { Row(name: $0, scheduler: $1.scheduler, ports: $1.ports, tasks: $1.tasks) }
    }

    var table: TextTable {
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
            })
    }
}
