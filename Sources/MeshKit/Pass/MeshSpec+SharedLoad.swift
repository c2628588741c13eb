import IPVSKit
import RuleKit

extension MeshSpec.Service {
    /// The tasks among some that take each other's connections, as groups. No task of one group can take a connection to
    /// a task of another one: IPVS spreads the connections of a family over the addresses of that family, and a network's
    /// balancer over the tasks on the network.
    ///
    /// A task that has several addresses belongs with the tasks of all of them, since it has one share for all. Tasks that
    /// nobody can connect to belong to no group.
    func groupsSharingLoad(among tasks: some Sequence<SpecTask>) -> [[SpecTask]] {
        let families = Set(ports.flatMap { $0.listening.address.map { [$0.family] } ?? AddressFamily.allCases })
        let alike = Dictionary(grouping: tasks) { balancers(of: $0, withPortsOf: families) }
        var groups: [(balancers: Set<BalancedFamily>, tasks: [SpecTask])] = []
        for (balancers, tasks) in alike where !balancers.isEmpty {
            var group = (balancers: balancers, tasks: tasks)
            groups.removeAll { other in
                guard !other.balancers.isDisjoint(with: group.balancers) else { return false }
                group.balancers.formUnion(other.balancers)
                group.tasks += other.tasks
                return true
            }
            groups.append(group)
        }
        return groups.map(\.tasks)
    }

    /// What spreads connections over a task, with others.
    private func balancers(of task: SpecTask, withPortsOf families: Set<AddressFamily>) -> Set<BalancedFamily> {
        let published = families.intersection(task.addresses(by: balancing).map(\.family))
        var balancers = Set(published.map { BalancedFamily(network: nil, family: $0) })
        for network in virtualAddresses.keys {
            for address in task.attachment?.addresses[network] ?? [] {
                balancers.insert(BalancedFamily(network: network, family: address.family))
            }
        }
        return balancers
    }
}

/// The connections of one family to the published ports of a service, or to its address on a user network.
private struct BalancedFamily: Hashable {
    /// Nil for the published ports.
    var network: String?
    var family: AddressFamily
}
