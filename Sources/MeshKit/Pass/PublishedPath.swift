package import IPVSKit
import RuleKit

/// Where a spec sends the connections to a published port.
struct PublishedPath {
    /// What a spec wants of a destination that a balancer has for the port.
    enum Wish {
        /// The destination gets new connections.
        case serves
        /// The destination is that of a task which drains.
        case drains
        /// New connections to the same task go another way.
        case isReplaced
        /// The task or the port has left.
        case leaves
    }

    var port: PublishedPort
    /// The place that balances the connections.
    var place: PlaceID
    /// The destinations of new connections.
    var serving: Set<Destination.ID> = []
    /// The destinations of tasks that drain. A flow of UDP would stay with its task as long as its client sends, so that
    /// a UDP port leads to no task that drains.
    var draining: Set<Destination.ID> = []
    /// Those of ``draining`` whose tasks nobody lets drain, but which are not healthy.
    var unhealthy: Set<Destination.ID> = []

    /// What is wanted of a destination that a place has for the port.
    func wish(for destination: Destination.ID, at place: PlaceID) -> Wish {
        // A service that loses its last attached task has the other balancer, but no other task.
        if place != self.place { return serving.isEmpty && draining.isEmpty ? .leaves : .isReplaced }
        if serving.contains(destination) { return .serves }
        if draining.contains(destination) { return .drains }
        return serving.union(draining).contains { $0.address == destination.address } ? .isReplaced : .leaves
    }

    /// Whether a destination that a place has for the port drains only because its task is not healthy.
    func isUnhealthy(_ destination: Destination.ID, at place: PlaceID) -> Bool {
        wish(for: destination, at: place) == .drains && unhealthy.contains(destination)
    }
}

extension MeshSpec {
    /// The path of each published port, by the port's mark.
    var paths: [FirewallMark: PublishedPath] {
        var paths: [FirewallMark: PublishedPath] = [:]
        for service in services.values {
            let drained = Set(service.tasks.filter(\.isDraining).map(\.address))
            for port in service.ports {
                var path = PublishedPath(port: port, place: service.balancing.place)
                for task in service.balancedTasks where port.leads(to: task) {
                    let destinations = task.addresses(by: service.balancing)
                        .filter { port.listening.address?.family ?? $0.family == $0.family }
                        .map { Destination.ID($0, port: port.destinationPort) }
                    if task.isDraining {
                        path.draining.formUnion(destinations)
                        if !drained.contains(task.address) { path.unhealthy.formUnion(destinations) }
                    } else {
                        path.serving.formUnion(destinations)
                    }
                }
                paths[port.mark] = path
            }
        }
        return paths
    }

    /// The destinations of new connections to each published port, by the port's mark.
    package var servingDestinations: [FirewallMark: Set<Destination.ID>] { paths.mapValues(\.serving) }
}

extension PublishedPort {
    /// Whether the balancer has a destination for a task. A task that drains has none for UDP: with weight 0, its flows
    /// would stay as long as their clients send.
    public func leads(to task: SpecTask) -> Bool { !task.isDraining || listening.transport != .udp }
}

extension Balancing {
    /// The place whose IPVS services balance the ports.
    package var place: PlaceID {
        switch self {
        case .host: .node
        case .ingress: .sandbox
        }
    }
}

extension MeshSpec.Service {
    /// The addresses at which the balancer of the published ports reaches a task.
    package func destinations(of task: SpecTask) -> [IPAddress] { task.addresses(by: balancing) }
}

extension SpecTask {
    /// The addresses at which a balancer reaches the task.
    func addresses(by balancing: Balancing) -> [IPAddress] {
        switch balancing {
        case .host: attachment == nil ? [address] : []
        case .ingress: attachment?.addresses[MeshNetwork.ingress] ?? []
        }
    }

    /// Whether the task is attached, and a destination of the sandbox leads to it.
    func isReached(at destination: Destination.ID) -> Bool {
        addresses(by: .ingress).contains(destination.address)
    }
}
