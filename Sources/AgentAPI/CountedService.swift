import IPVSKit
import MeshKit
import RuleKit

/// What clients connect to, a published port or the address of a service on a user network, with what the kernel has
/// counted for it, IPv4 and IPv6 together.
struct CountedService: Sendable {
    var labels: Metric.Labels
    var statistics: Statistics
    var tasks: [CountedTask]
}

/// A destination of a counted service as the kernel has it.
struct CountedTask: Sendable {
    var labels: Metric.Labels
    var status: DestinationStatus
    /// Whether the task drains, or is no task of the service any more and still has connections.
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
    var countedPorts: [CountedService] {
        let found = Dictionary(grouping: observed.services) { $0.id.firewallMark }
        let spec = spec.judging(ledger.unhealthy)
        let serving = spec.servingDestinations
        let counted = spec.services.flatMap { name, service in
            let unhealthy = service.unhealthyAddresses(service.destinations(of:))
            return service.ports.compactMap { port -> (PortBinding, CountedService)? in
                guard let found = found[port.mark] else { return nil }
                let destinations = serving[port.mark] ?? []
                return (
                    port.listening,
                    CountedService([("service", name)] + port.listening.labels, found) { status in
                        (
                            labels: [("task", "\(status.id.address)"), ("target", "\(status.id.port)")],
                            isDraining: !destinations.contains(status.id),
                            isHealthy: !unhealthy.contains(status.id.address)
                        )
                    }
                )
            }
        }
        return counted.sorted { $0.0 < $1.0 }.map(\.1)
    }

    /// The addresses of services on user networks in order, with what this node's balancers of the networks have counted;
    /// without those that the kernel lacks. Tasks on other nodes connect to the balancers there.
    var countedNetworks: [CountedService] {
        let spec = spec.judging(ledger.unhealthy)
        let services = spec.services.sorted { $0.key < $1.key }
        return spec.networks.keys.sorted().flatMap { network -> [CountedService] in
            let found = Dictionary(grouping: observed[.balancer(network)].services) { $0.id.firewallMark }
            guard !found.isEmpty else { return [] }
            return services.compactMap { name, service in
                guard let virtual = service.virtualAddresses[network], let found = found[virtual.mark] else {
                    return nil
                }
                let serving = Set(service.balancedTasks.filter { !$0.isDraining }.flatMap { $0.addresses(on: network) })
                let unhealthy = service.unhealthyAddresses { $0.addresses(on: network) }
                return CountedService([("service", name), ("network", network)], found) { status in
                    (
                        labels: [("task", "\(status.id.address)")],
                        isDraining: !serving.contains(status.id.address),
                        isHealthy: !unhealthy.contains(status.id.address)
                    )
                }
            }
        }
    }
}

extension CountedService {
    /// - Parameters:
    ///   - common: the labels of the service, which its tasks have, too.
    ///   - found: the services of the kernel that balance the connections: one of each family, and those of a former
    ///     balancer.
    ///   - task: what the spec says of a destination.
    fileprivate init(
        _ common: [(name: String, value: String)], _ found: [VirtualServiceStatus],
        task: (DestinationStatus) -> (labels: [(name: String, value: String)], isDraining: Bool, isHealthy: Bool)
    ) {
        labels = Metric.Labels(common)
        statistics = found.reduce(into: Statistics()) { $0.add($1.statistics) }
        let destinations = Dictionary(found.flatMap(\.destinations).map { ($0.id, $0) }) { first, _ in first }
        tasks = destinations.values.sorted { $0.id < $1.id }.map { status in
            let (labels, isDraining, isHealthy) = task(status)
            return CountedTask(
                labels: Metric.Labels(common + labels), status: status, isDraining: isDraining, isHealthy: isHealthy)
        }
    }
}

extension MeshSpec.Service {
    /// The addresses of the tasks that are said not to be healthy.
    fileprivate func unhealthyAddresses(_ addresses: (SpecTask) -> [IPAddress]) -> Set<IPAddress> {
        Set(tasks.filter(\.isUnhealthy).flatMap(addresses))
    }
}

extension SpecTask {
    fileprivate func addresses(on network: String) -> [IPAddress] { attachment?.addresses[network] ?? [] }
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
