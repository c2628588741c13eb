import IPVSKit
import MeshKit
import RuleKit

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

    /// The columns of the options of ports. A column is shown if a port has the option.
    private static let portOptions: [(column: TextTable.Column, text: @Sendable (PublishedPort) -> String?)] = [
        (TextTable.Column(title: "STICKY"), { port in port.stickySeconds.map { DurationText.text(of: $0) } }),
        (
            TextTable.Column(title: "ALLOW"),
            { port in port.allowed.isEmpty ? nil : port.allowed.map(\.description).joined(separator: ",") }
        ),
        (TextTable.Column(title: "SOURCE IP"), { port in port.sourceIP == .auto ? nil : port.sourceIP.rawValue }),
        (TextTable.Column(title: "DRAIN"), { port in port.drain == .unlimited ? nil : port.drain.text }),
        (TextTable.Column(title: "MAX-CONNS", isNumeric: true), { port in port.maxConnections.map { "\($0)" } }),
    ]

    var lines: [String] {
        let options = Self.portOptions.filter { option in self.ports.contains { option.text($0) != nil } }
        let ports = TextTable(
            columns: [.init(title: "PORT"), .init(title: "MARK")] + options.map(\.column),
            rows: ports.map { port in
                [port.description, port.mark.description] + options.map { $0.text(port) ?? "-" }
            })
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
