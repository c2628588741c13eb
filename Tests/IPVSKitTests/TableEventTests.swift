import Synchronization
import TestSupport
import Testing

@testable import IPVSKit

@Suite struct TableEventTests {
    private static let web = VirtualService.ID.firewallMark(0x102, .ipv4)
    private static let dns = VirtualService.ID.address("10.0.0.1", port: 53, protocol: .udp)
    private static let first = DestinationStatus(destination: Destination("10.0.0.2", port: 80))

    private static func status(
        _ id: VirtualService.ID, _ destinations: DestinationStatus..., connections: UInt64 = 0
    ) -> VirtualServiceStatus {
        var status = VirtualServiceStatus(service: VirtualService(id: id), destinations: destinations)
        status.statistics.connections = connections
        return status
    }

    @Test func eachKind() {
        var heavier = Self.first
        heavier.destination.weight = 7
        var other = Self.status(Self.web, heavier)
        other.service.scheduler = .maglevHashing
        let old = [Self.status(Self.web, Self.first)]

        #expect(
            TableEvent.events(from: [], to: old).map(\.description) == [
                "added service FWM 258: rr", "added destination 10.0.0.2:80 to FWM 258: Masq, weight 1",
            ])
        #expect(
            TableEvent.events(from: old, to: [other]).map(\.description) == [
                "changed service FWM 258: mh, was rr", "changed destination 10.0.0.2:80 of FWM 258: weight 7, was 1",
            ])
        #expect(
            TableEvent.events(from: old, to: [Self.status(Self.dns)]).map(\.description) == [
                "added service UDP 10.0.0.1:53: rr", "removed destination 10.0.0.2:80 from FWM 258",
                "removed service FWM 258",
            ])
        #expect(TableEvent.events(from: old, to: old, counters: true) == [])
    }

    @Test func countersAreToldWhereAskedFor() {
        var busy = Self.first
        busy.activeConnections = 2
        let old = [Self.status(Self.web, Self.first)]
        let new = [Self.status(Self.web, busy, connections: 5)]
        #expect(TableEvent.events(from: old, to: new) == [])
        #expect(
            TableEvent.events(from: old, to: new, counters: true) == [
                .serviceCounted(new[0].statistics, from: Statistics(), of: Self.web),
                .destinationCounted(busy, from: Self.first, of: Self.web),
            ])
        #expect(
            TableEvent.events(from: [], to: new, counters: true).map(\.description) == [
                "added service FWM 258: rr", "counted for FWM 258: +5 connections, 0/s",
                "added destination 10.0.0.2:80 to FWM 258: Masq, weight 1",
                "counted for 10.0.0.2:80 of FWM 258: +0 connections, 2 active, 0 inactive",
            ])
    }

    /// For two random tables, applying the events to the old one gives the new one.
    @Test func eventsAppliedToTheOldTableGiveTheNewOne() throws {
        var random = SeededGenerator.announced()
        for _ in 0..<300 {
            let (old, new) = (Self.table(using: &random), Self.table(using: &random))
            var applied = Model(old)
            for event in TableEvent.events(from: old, to: new, counters: true) { try applied.apply(event) }
            #expect(applied == Model(new))
        }
    }

    private static func table(using random: inout SeededGenerator) -> [VirtualServiceStatus] {
        var table: [VirtualServiceStatus] = []
        for number in (1...4 as ClosedRange<UInt32>).shuffled(using: &random) where Bool.random(using: &random) {
            let id = VirtualService.ID.firewallMark(
                FirewallMark(rawValue: number)!, number.isMultiple(of: 2) ? .ipv4 : .ipv6)
            var service = Self.status(id, connections: .random(in: 0...2, using: &random))
            if Bool.random(using: &random) { service.service.scheduler = .neverQueue }
            for last in (1...3 as ClosedRange<UInt128>).shuffled(using: &random) where Bool.random(using: &random) {
                var destination = DestinationStatus(
                    destination: Destination(
                        IPAddress(ipv6: last), port: 80, weight: .random(in: 0...1, using: &random)))
                destination.inactiveConnections = .random(in: 0...1, using: &random)
                service.destinations.append(destination)
            }
            table.append(service)
        }
        return table
    }

    /// The table that a listener reconstructs from events. It refuses an event that does not fit.
    private struct Model: Equatable {
        struct Entry: Equatable {
            var service: VirtualService
            var statistics = Statistics()
            var destinations: [Destination.ID: DestinationStatus] = [:]
        }
        struct DoesNotFit: Error { var event: TableEvent }

        var entries: [VirtualService.ID: Entry] = [:]

        init(_ table: [VirtualServiceStatus]) {
            for service in table {
                entries[service.id] = Entry(
                    service: service.service, statistics: service.statistics,
                    destinations: Dictionary(uniqueKeysWithValues: service.destinations.map { ($0.id, $0) }))
            }
        }

        mutating func apply(_ event: TableEvent) throws {
            func expect(_ condition: Bool) throws { if !condition { throw DoesNotFit(event: event) } }
            switch event {
            case .serviceAdded(let service):
                try expect(entries[service.id] == nil)
                entries[service.id] = Entry(service: service)
            case .serviceChanged(let service, let old):
                try expect(entries[service.id]?.service == old && old != service)
                entries[service.id]?.service = service
            case .serviceRemoved(let service):
                try expect(entries[service.id]?.service == service && entries[service.id]?.destinations == [:])
                entries[service.id] = nil
            case .destinationAdded(let destination, let id):
                try expect(entries[id] != nil && entries[id]?.destinations[destination.id] == nil)
                entries[id]?.destinations[destination.id] = DestinationStatus(destination: destination)
            case .destinationChanged(let destination, let old, let id):
                try expect(entries[id]?.destinations[destination.id]?.destination == old && old != destination)
                entries[id]?.destinations[destination.id]?.destination = destination
            case .destinationRemoved(let destination, let id):
                try expect(entries[id]?.destinations[destination.id]?.destination == destination)
                entries[id]?.destinations[destination.id] = nil
            case .serviceCounted(let new, let old, let id):
                try expect(entries[id]?.statistics == old && old != new)
                entries[id]?.statistics = new
            case .destinationCounted(let new, let old, let id):
                try expect(entries[id]?.destinations[new.id] != nil && old.id == new.id)
                entries[id]?.destinations[new.id] = new
            case .upToDate: throw DoesNotFit(event: event)
            }
        }
    }

    // MARK: The sequence

    /// A table that changes with each look.
    private func watch(
        _ tables: [VirtualServiceStatus]..., looks: Looks = Looks()
    ) -> TableEvents {
        TableEvents(interval: .milliseconds(1), counters: false) { () async throws(IPVSError) in
            let number = looks.count.withLock { count in
                defer { count += 1 }
                return count
            }
            return tables[min(number, tables.count - 1)]
        }
    }

    private final class Looks: Sendable { let count = Mutex(0) }

    @Test func whatIsThereComesFirstAndThenTheNews() async throws {
        let table = [Self.status(Self.web, Self.first)]
        var events: [TableEvent] = []
        for try await event in watch(table, table, [], [], table) {
            events.append(event)
            if events.count == 7 { break }
        }
        #expect(
            events.map(\.description) == [
                "added service FWM 258: rr", "added destination 10.0.0.2:80 to FWM 258: Masq, weight 1", "up to date",
                "removed destination 10.0.0.2:80 from FWM 258", "removed service FWM 258",
                "added service FWM 258: rr", "added destination 10.0.0.2:80 to FWM 258: Masq, weight 1",
            ])
    }

    @Test func noLookIsTakenBeforeItIsAskedFor() async throws {
        let looks = Looks()
        var iterator = watch([Self.status(Self.web, Self.first)], [], looks: looks).makeAsyncIterator()
        for _ in 0..<3 { _ = try await iterator.next() }
        try await Task.sleep(for: .milliseconds(50))
        #expect(looks.count.withLock { $0 } == 1)
        _ = try await iterator.next()
        // The object must be missing in two readings.
        #expect(looks.count.withLock { $0 } == 3)
    }

    /// A table that changes while it is listed is listed with gaps.
    @Test func whatALookMissesOnceIsNotGone() async throws {
        let one = Self.status(Self.web, Self.first)
        let bare = Self.status(Self.web)
        let two = Self.status(Self.dns)
        var events: [TableEvent] = []
        for try await event in watch([one, two], [two], [one, two], [bare, two], [one, two], [two], [], [], []) {
            events.append(event)
            if events.count == 7 { break }
        }
        #expect(
            events.map(\.description) == [
                "added service UDP 10.0.0.1:53: rr", "added service FWM 258: rr",
                "added destination 10.0.0.2:80 to FWM 258: Masq, weight 1", "up to date",
                "removed service UDP 10.0.0.1:53", "removed destination 10.0.0.2:80 from FWM 258",
                "removed service FWM 258",
            ])
    }

    @Test func cancellationEndsIt() async throws {
        let events = watch([])
        let task = Task {
            var seen: [TableEvent] = []
            for try await event in events { seen.append(event) }
            return seen
        }
        try await Task.sleep(for: .milliseconds(50))
        task.cancel()
        #expect(try await task.value == [.upToDate])
    }

    @Test func anErrorEndsIt() async throws {
        let looks = Looks()
        let events = TableEvents(interval: .milliseconds(1), counters: false) { () async throws(IPVSError) in
            if looks.count.withLock({
                $0 += 1; return $0
            }) == 2 {
                throw IPVSError(.notPermitted, operation: "look")
            }
            return []
        }
        var iterator = events.makeAsyncIterator()
        #expect(try await iterator.next() == .upToDate)
        await #expect(throws: IPVSError.self) { try await iterator.next() }
        #expect(try await iterator.next() == nil)
        #expect(looks.count.withLock { $0 } == 2)
    }
}
