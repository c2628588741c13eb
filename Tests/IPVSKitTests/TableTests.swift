import TestSupport
import Testing

@testable import IPVSKit

@Suite struct TableTests {
    private static let web = VirtualService.ID.firewallMark(0x100, .ipv4)

    private static func table(_ scheduler: Scheduler = .roundRobin, _ destinations: Destination...) -> Table {
        Table([.init(VirtualService(id: web, scheduler: scheduler), destinations: destinations)])
    }

    @Test func equalTablesNeedNothing() {
        let table = Self.table(.roundRobin, Destination("10.0.0.1", port: 80))
        #expect(Table.changes(from: table, to: table).isEmpty)
    }

    @Test func replacingTheOnlyDestinationNeverLeavesTheServiceEmpty() {
        let changes = Table.changes(
            from: Self.table(.roundRobin, Destination("10.0.0.1", port: 80)),
            to: Self.table(.roundRobin, Destination("10.0.0.2", port: 80)))
        #expect(
            changes.map(\.description) == [
                "add destination 10.0.0.2:80 to FWM 256", "remove destination 10.0.0.1:80 from FWM 256",
            ])
    }

    /// A destination is drained and replaced in one step, whichever of the two sorts first.
    @Test(arguments: [("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1")])
    func whatDrainsGoesOnUntilItsReplacementIsThere(old: IPAddress, new: IPAddress) {
        let changes = Table.changes(
            from: Self.table(.roundRobin, Destination(old, port: 80)),
            to: Self.table(.roundRobin, Destination(old, port: 80, weight: 0), Destination(new, port: 80)))
        #expect(
            changes == [
                .createDestination(Destination(new, port: 80), of: Self.web),
                .updateDestination(Destination(old, port: 80, weight: 0), of: Self.web),
            ])
    }

    @Test func onlyWhatDiffersIsWritten() {
        let changes = Table.changes(
            from: Self.table(.roundRobin, Destination("10.0.0.1", port: 80), Destination("10.0.0.2", port: 80)),
            to: Self.table(.roundRobin, Destination("10.0.0.1", port: 80), Destination("10.0.0.2", port: 80, weight: 0))
        )
        #expect(changes == [.updateDestination(Destination("10.0.0.2", port: 80, weight: 0), of: Self.web)])
    }

    @Test func aDestinationStandsUnderItsOwnID() {
        var entry = Table.Entry(VirtualService(id: Self.web), destinations: [Destination("10.0.0.1", port: 80)])
        entry[.init("10.0.0.2", port: 80)] = Destination("10.0.0.2", port: 80)
        entry[.init("10.0.0.1", port: 80)]?.weight = 7
        #expect(entry.destinations.values.map(\.weight).sorted() == [1, 7])
        entry[.init("10.0.0.1", port: 80)] = nil
        #expect(entry.destinations.keys.map(\.address) == ["10.0.0.2"])
    }

    /// A value can only be stored under its own key: under another one, it would be written to the kernel elsewhere.
    @Test func anotherKeyTraps() async {
        await #expect(processExitsWith: .failure) {
            var entry = Table.Entry(VirtualService(id: .firewallMark(1, .ipv4)))
            entry[.init("10.0.0.2", port: 80)] = Destination("10.0.0.1", port: 80)
        }
    }

    @Test func aServiceTakesItsDestinationsWithIt() {
        #expect(
            Table.changes(from: Self.table(.roundRobin, Destination("10.0.0.1", port: 80)), to: Table())
                == [.deleteService(Self.web)])
    }

    /// Random pairs of tables: the changes turn the one into the other, and no service that takes connections in
    /// both refuses them at any point between.
    @Test(arguments: [UInt64(7), 8, 9]) func changesLeadFromOneTableToTheOther(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let old = Self.random(&generator)
            let new = Self.random(&generator)
            var kernel = old
            for change in Table.changes(from: old, to: new) {
                kernel.perform(change)
                for (id, entry) in kernel.entries
                where old[id]?.takesConnections == true && new[id]?.takesConnections == true {
                    #expect(entry.takesConnections, "seed \(seed): \(id) takes none after: \(change)")
                }
            }
            #expect(kernel == new, "seed \(seed)")
        }
    }

    private static func random(_ generator: inout SeededGenerator) -> Table {
        Table(
            (1...4).filter { _ in Bool.random(using: &generator) }.map { number in
                Table.Entry(
                    VirtualService(
                        id: .firewallMark(FirewallMark(rawValue: number)!, .ipv4),
                        scheduler: Scheduler.known.randomElement(using: &generator)!),
                    destinations: (1...4).filter { _ in Bool.random(using: &generator) }.map {
                        Destination(IPAddress(ipv4: $0), port: 80, weight: .random(in: 0...2, using: &generator))
                    })
            })
    }
}

extension Table.Entry {
    fileprivate var takesConnections: Bool { destinations.values.contains { $0.weight > 0 } }
}

extension Table {
    /// Does what the kernel would do, and refuses what it would refuse.
    fileprivate mutating func perform(_ change: Change) {
        switch change {
        case .createService(let service):
            #expect(self[service.id] == nil)
            self[service.id] = Entry(service)
        case .updateService(let service):
            #expect(self[service.id] != nil)
            self[service.id]?.service = service
        case .deleteService(let id):
            #expect(self[id] != nil)
            self[id] = nil
        case .createDestination(let destination, let id):
            #expect(self[id] != nil && self[id]?[destination.id] == nil)
            self[id]?[destination.id] = destination
        case .updateDestination(let destination, let id):
            #expect(self[id]?[destination.id] != nil)
            self[id]?[destination.id] = destination
        case .deleteDestination(let destination, let id):
            #expect(self[id]?[destination] != nil)
            self[id]?[destination] = nil
        }
    }
}
