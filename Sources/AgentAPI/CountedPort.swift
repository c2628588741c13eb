import IPVSKit
import MeshKit
import RuleKit

/// A published port with what the kernel has counted for it, IPv4 and IPv6 together.
struct CountedPort: Sendable {
    static let labels = ["service", "port", "transport", "address"]

    var binding: PortBinding
    var labels: Metric.Labels
    var statistics: Statistics
    var tasks: [CountedTask]
}

/// A destination of a published port as the kernel has it.
struct CountedTask: Sendable {
    static let labels = CountedPort.labels + ["task", "target"]

    var labels: Metric.Labels
    var status: DestinationStatus
    /// Whether the task drains, or is no task of the port any more and still has connections.
    var isDraining: Bool
    /// Whether neither the task's source nor a health check says that it cannot serve.
    var isHealthy: Bool
}

extension PortBinding {
    /// The address is left out if there is none.
    var labels: [(name: String, value: String)] {
        [("port", Self.text(of: ports)), ("transport", transport.description)]
            + (address.map { [("address", "\($0)")] } ?? [])
    }
}

extension MeshView {
    /// The published ports in order, with what the kernel has counted; without those that the kernel lacks.
    var countedPorts: [CountedPort] {
        let found = Dictionary(grouping: observed.services) { $0.id.firewallMark }
        let spec = spec.judging(ledger.unhealthy)
        let serving = spec.servingDestinations
        return spec.services.flatMap { name, service in
            let unhealthy = Set(service.tasks.filter(\.isUnhealthy).flatMap(service.destinations(of:)))
            return service.ports.compactMap { port in
                found[port.mark].map {
                    CountedPort(name, port, $0, serving: serving[port.mark] ?? [], unhealthy: unhealthy)
                }
            }
        }
        .sorted { $0.binding < $1.binding }
    }
}

extension CountedPort {
    /// - Parameters:
    ///   - found: the services of the kernel that balance the port: one of each family, and those of a former balancer.
    ///   - serving: the destinations of new connections.
    ///   - unhealthy: the addresses of tasks that are not healthy.
    fileprivate init(
        _ name: String, _ port: PublishedPort, _ found: [VirtualServiceStatus], serving: Set<Destination.ID>,
        unhealthy: Set<IPAddress>
    ) {
        let common = [("service", name)] + port.listening.labels
        binding = port.listening
        labels = Metric.Labels(common)
        statistics = found.reduce(into: Statistics()) { $0.add($1.statistics) }
        let destinations = Dictionary(found.flatMap(\.destinations).map { ($0.id, $0) }) { first, _ in first }
        tasks = destinations.values.sorted { $0.id < $1.id }.map { status in
            CountedTask(
                labels: Metric.Labels(
                    common + [("task", "\(status.id.address)"), ("target", "\(status.id.port)")]),
                status: status, isDraining: !serving.contains(status.id),
                isHealthy: !unhealthy.contains(status.id.address))
        }
    }
}

extension Statistics {
    fileprivate mutating func add(_ other: Self) {
        connections += other.connections
        incomingPackets += other.incomingPackets
        outgoingPackets += other.outgoingPackets
        incomingBytes += other.incomingBytes
        outgoingBytes += other.outgoingBytes
        connectionRate += other.connectionRate
        incomingPacketRate += other.incomingPacketRate
        outgoingPacketRate += other.outgoingPacketRate
        incomingByteRate += other.incomingByteRate
        outgoingByteRate += other.outgoingByteRate
    }
}
