import IPVSKit

/// The values of one measurement, the same as those of the peers in C: PeerSupport.c.
struct Workload {
    /// Each service, its destinations behind it.
    let creations: [Change]
    /// Another weight for every destination.
    let updates: [Change]
    /// Every service; its destinations go with it.
    let deletions: [Change]
    /// The table after the update, but that every tenth destination has yet another weight.
    let other: Table

    init(services: Int, destinations: Int) {
        var creations: [Change] = []
        var updates: [Change] = []
        var deletions: [Change] = []
        var entries: [Table.Entry] = []
        var next: UInt32 = 0x0A80_0001  // 10.128.0.1
        for index in 0..<services {
            let address = IPAddress(ipv4: 0x0A40_0001 + UInt32(index))  // 10.64.0.1
            let service = VirtualService(id: .address(address, port: 80, protocol: .tcp), scheduler: .roundRobin)
            creations.append(.createService(service))
            deletions.append(.deleteService(service.id))
            var others: [Destination] = []
            for number in 0..<destinations {
                var destination = Destination(IPAddress(ipv4: next), port: 8080, weight: 1, forwarding: .masquerade)
                next += 1
                creations.append(.createDestination(destination, of: service.id))
                destination.weight = 2
                updates.append(.updateDestination(destination, of: service.id))
                if (index * destinations + number) % 10 == 0 { destination.weight = 3 }
                others.append(destination)
            }
            entries.append(Table.Entry(service, destinations: others))
        }
        self.creations = creations
        self.updates = updates
        self.deletions = deletions
        other = Table(entries)
    }
}
