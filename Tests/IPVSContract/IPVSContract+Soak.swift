import IPVSKit
import SystemPackage
import Testing

extension IPVSContract {
    /// A hundred tasks share a client until the time is over. No reply may be lost, crossed or stuck: each task reads
    /// what it wrote itself, under an id and with numbers that no other has, and is refused what it alone should be. One
    /// that waits in vain meets its deadline.
    static func aHundredTasksHammerOneClient(_ subject: Subject) async throws {
        let (ipvs, clock) = (subject.ipvs, ContinuousClock())
        let start = clock.now
        let end = start + subject.soak
        let operations = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in UInt32(1)...100 {
                group.addTask {
                    var (operations, round) = (0, UInt32(0))
                    repeat {
                        operations += try await hammer(ipvs, number: number, round: round)
                        round += 1
                    } while clock.now < end
                    return operations
                }
            }
            var counts: [Int] = []
            for try await count in group { counts.append(count) }
            return counts
        }
        let took = clock.now - start
        let total = operations.reduce(0, +)
        print(
            "IPVSContract: a hundred tasks, one client: \(total) operations in \(took), \(operations.min()!) or more each"
        )
        #expect(operations.count == 100)
        #expect(try await ipvs.services().isEmpty)
    }

    /// One round of one task; returns the number of operations.
    private static func hammer(_ ipvs: IPVS, number: UInt32, round: UInt32) async throws -> Int {
        let id = VirtualService.ID.firewallMark(FirewallMark(rawValue: number)!, number % 3 == 0 ? .ipv6 : .ipv4)
        func destination(_ place: UInt32, weight: UInt32) -> Destination {
            let address =
                id.family == .ipv4
                ? IPAddress(ipv4: 10 << 24 | number << 8 | place)
                : IPAddress(ipv6: 0xFD << 120 | UInt128(number << 8 | place))
            return Destination(address, port: 80, weight: weight)
        }
        // The mark belongs to this task and this round only.
        let weight = number << 20 | round
        let service = VirtualService(
            id: id, scheduler: .weightedRoundRobin, persistence: .init(timeoutSeconds: number))
        let pair = [destination(1, weight: weight), destination(2, weight: 1)]

        try await ipvs.create(service)
        let added = try await ipvs.perform(
            [pair[0], pair[0], pair[1]].map { .createDestination($0, of: id) })
        #expect(added.interruption == nil)
        #expect(added.failures.map(\.index) == [1] && added.failures.first?.error.code == .destinationExists)
        let found = try await ipvs.service(id)
        #expect(found.service == service)
        #expect(Set(found.destinations.map(\.destination)) == Set(pair) && found.destinations.count == 2)
        let refusal = await #expect(throws: IPVSError.self) {
            try await ipvs.delete(destination(3, weight: 0).id, of: id)
        }
        #expect(refusal?.code == .destinationNotFound)
        try await ipvs.update(destination(1, weight: weight + 1 << 19), of: id)
        let weights = try await ipvs.destinations(of: id).map(\.destination.weight)
        #expect(Set(weights) == [weight + 1 << 19, 1])
        // Long dumps are mixed with the short answers.
        if round % 8 == number % 8 {
            let all = try await ipvs.services().filter { $0.id == id }
            #expect(all.map(\.service) == [service])
        }
        try await ipvs.delete(id)
        return round % 8 == number % 8 ? 10 : 9
    }
}
