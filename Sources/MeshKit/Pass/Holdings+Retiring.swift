import IPVSKit
import RuleKit

extension Holdings {
    /// Adds the paths that are to take no new connections from now on, and removes those whose last connection has
    /// ended.
    ///
    /// A path retires when a live port gets another target port: the destinations with the old port stay, with weight
    /// 0, until the connection table has no connection to them that can still transfer data. UDP paths do not retire,
    /// since weight 0 would keep their flows for as long as clients send. A destination that is not in the ledger was
    /// never put up, and one that is not in the kernel has no connections, so neither retires.
    mutating func retire(for spec: MeshSpec, in found: ObservedPlace, now: BootTime) {
        let ports = spec.portsByMark
        let known = Set(retiring.flatMap { path in path.destinations.map { Key(path.mark, $0) } })
        // A path whose port has left the spec is taken down at once.
        retiring = retiring.compactMap { path in
            guard let wanted = ports[path.mark] else { return nil }
            var left = path
            left.destinations.subtract(wanted.destinations)
            // The connections of a task that is removed end, whichever path they came by.
            left.destinations = left.destinations.filter { wanted.addresses.contains($0.address) }
            left.destinations = left.destinations.filter { destination in
                guard path.since < now else { return true }
                let id = VirtualService.ID.firewallMark(path.mark, destination.address.family)
                guard found.table.entries[id]?.destinations[destination] != nil else { return false }
                let count = found.connections[RetiringDestination(destination, of: id)]
                return count.map { $0 > 0 } ?? true
            }
            if let until = path.until, until <= now { return nil }
            return left.destinations.isEmpty ? nil : left
        }
        for (mark, owned) in marks {
            guard let binding = owned.binding, binding.transport != .udp, let wanted = ports[mark] else { continue }
            let leaving = owned.destinations.subtracting(wanted.destinations).filter { destination in
                let id = VirtualService.ID.firewallMark(mark, destination.address.family)
                return wanted.addresses.contains(destination.address) && !known.contains(Key(mark, destination))
                    && found.table.entries[id]?.destinations[destination] != nil
            }
            guard !leaving.isEmpty else { continue }
            retiring.append(
                RetiringPath(mark: mark, binding: binding, destinations: leaving, since: now, until: nil))
        }
        retiring.sort { ($0.since, $0.mark) < ($1.since, $1.mark) }
    }

    private struct Key: Hashable {
        var mark: FirewallMark
        var destination: Destination.ID

        init(_ mark: FirewallMark, _ destination: Destination.ID) {
            self.mark = mark
            self.destination = destination
        }
    }
}

extension MeshSpec {
    fileprivate struct WantedPort {
        /// The destinations of new connections.
        var destinations: Set<Destination.ID> = []
        /// The addresses of the tasks.
        var addresses: Set<IPAddress> = []
    }

    fileprivate var portsByMark: [FirewallMark: WantedPort] {
        var ports: [FirewallMark: WantedPort] = [:]
        for service in services.values {
            for port in service.ports {
                let addresses = service.tasks.filter(port.isFor).map(\.address)
                let target = port.listening.isRange ? 0 : port.target
                ports[port.mark] = WantedPort(
                    destinations: Set(addresses.map { Destination.ID($0, port: target) }), addresses: Set(addresses))
            }
        }
        return ports
    }
}
