import IPVSKit
import RuleKit

/// Says what a node's kernel should hold for a state. Pure: no input or output, no clock.
public enum Compiler {
    /// The datapath of a balancer on the network `host`: everything in the node's own namespace.
    public static func compile(_ state: MeshState) -> Datapath {
        var datapath = Datapath()
        var entries: [Table.Entry] = []
        for service in state.services.values {
            for port in service.ports {
                datapath.rules.marks[port.listening] = port.mark
                entries += AddressFamily.allCases.compactMap { entry(service, port, $0) }
            }
        }
        datapath.ipvs = Table(entries)
        let tasks = state.services.values.filter { !$0.ports.isEmpty }.flatMap(\.tasks)
        let addresses = Set(tasks.map(\.address))
        datapath.rules = RuleSet(
            marks: datapath.rules.marks,
            addresses: [.tasks: addresses, .sourceNAT: addresses.subtracting(state.localAddresses)])

        if !datapath.rules.marks.isEmpty {
            datapath.sysctls = [
                .ipv4Forwarding: "1", .ipvsConntrack: "1", .expireNoDestination: "1", .expireQuiescentTemplate: "1",
            ]
        }
        if entries.contains(where: { $0.service.id.family == .ipv6 }) { datapath.sysctls[.ipv6Forwarding] = "1" }
        return datapath
    }

    /// The service for one port and family; none where the family has no task, since a kernel without IPv6 would
    /// refuse it.
    private static func entry(
        _ service: MeshState.Service, _ port: PublishedPort, _ family: AddressFamily
    ) -> Table.Entry? {
        let tasks = service.tasks.filter { $0.address.family == family }
        guard !tasks.isEmpty else { return nil }
        return Table.Entry(
            VirtualService(
                id: .firewallMark(port.mark, family), scheduler: service.scheduler, flags: flags(service.scheduler)),
            destinations: tasks.map { Destination($0.address, port: port.target, weight: $0.weight) })
    }

    /// Without its fallback, a hashing scheduler refuses every client whose task is draining.
    private static func flags(_ scheduler: Scheduler) -> VirtualService.Flags {
        [.sourceHashing, .maglevHashing].contains(scheduler) ? .hashFallback : []
    }
}
