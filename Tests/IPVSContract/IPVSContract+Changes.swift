import IPVSKit
import SystemPackage
import Testing

extension IPVSContract {
    static func whatIsWrittenIsReadBackEqual(_ ipvs: IPVS) async throws {
        try await ipvs.perform(Table.changes(from: Table(), to: table)).get()
        #expect(Table(try await ipvs.status()) == table)
    }

    /// Values that contain more than the kernel keeps, or the same in another form, equal the table that is read back
    /// after they are written, whichever way it is read.
    static func whatIsWrittenIsWrittenOnce(_ ipvs: IPVS) async throws {
        let wanted = Table([
            .init(
                VirtualService(
                    id: mark4, flags: .init(rawValue: 7), persistence: .init(netmask: .prefix(32))),
                destinations: [
                    Destination("10.2.0.1", port: 80, tunnel: .init(type: .gue, port: 6080, flags: .checksum)),
                    Destination("10.2.0.2", port: 80, forwarding: .init(rawValue: 0x103), tunnel: .init(type: .gue)),
                ]),
            .init(VirtualService(id: mark6, persistence: .init(netmask: .prefix(128)))),
            .init(VirtualService(id: tcp, persistence: .init(netmask: .mask(0xFF00_FF00)))),
            .init(VirtualService(id: sctp, persistence: .init(netmask: .mask(0xFFFE_0000)))),
            .init(VirtualService(id: .firewallMark(1, .ipv4), persistence: .init(netmask: .prefix(0)))),
        ])
        try await ipvs.perform(Table.changes(from: Table(), to: wanted)).get()
        #expect(Table.changes(from: try await ipvs.table(), to: wanted) == [])
        #expect(Table.changes(from: Table(try await ipvs.status()), to: wanted) == [])
    }

    static func differencesAreWrittenAndNothingElse(_ ipvs: IPVS) async throws {
        try await ipvs.perform(Table.changes(from: Table(), to: table)).get()
        var wanted = table
        wanted[sctp] = nil
        wanted[mark4]?[.init("10.2.0.1", port: 0)]?.weight = 9
        wanted[mark6]?.service.scheduler = .leastConnection
        let changes = Table.changes(from: Table(try await ipvs.status()), to: wanted)
        #expect(changes.count == 3)
        try await ipvs.perform(changes).get()
        #expect(Table(try await ipvs.status()) == wanted)
    }

    static func destinationsAreListedNewestFirst(_ ipvs: IPVS) async throws {
        try await ipvs.create(VirtualService(id: mark4))
        for number in UInt32(1)...3 { try await ipvs.create(Destination(IPAddress(ipv4: number), port: 80), of: mark4) }
        try await ipvs.delete(.init("0.0.0.2", port: 80), of: mark4)
        try await ipvs.create(Destination("0.0.0.4", port: 80), of: mark4)
        try await ipvs.update(Destination("0.0.0.1", port: 80, weight: 5), of: mark4)
        let addresses = try await ipvs.destinations(of: mark4).map(\.id.address)
        #expect(addresses == ["0.0.0.4", "0.0.0.3", "0.0.0.1"])
    }

    static func aFailureStopsNothingBehindIt(_ ipvs: IPVS) async throws {
        let changes = (UInt32(1)...200).map { number in
            let id = VirtualService.ID.firewallMark(FirewallMark(rawValue: number)!, .ipv4)
            return number % 10 == 0 ? Change.deleteService(id) : .createService(VirtualService(id: id))
        }
        let result = try await ipvs.perform(changes)
        #expect(result.failures.map(\.index) == changes.indices.filter { $0 % 10 == 9 })
        #expect(result.failures.allSatisfy { $0.error.code == .serviceNotFound })
        #expect(result[0] == .done && result[199] != .done)
        let services = try await ipvs.services()
        #expect(services.count == 180)
    }

    static func familiesAndProtocolsMakeServicesOfTheirOwn(_ ipvs: IPVS) async throws {
        let ids: [VirtualService.ID] = [
            mark4, mark6, tcp, sctp, .address("10.1.0.1", port: 443, protocol: .udp),
            .address("10.1.0.1", port: 444, protocol: .tcp), .address("fd00::1", port: 443, protocol: .tcp),
        ]
        for id in ids { try await ipvs.create(VirtualService(id: id)) }
        let listed = try await ipvs.services().map(\.id)
        #expect(Set(listed) == Set(ids) && listed.count == ids.count)
        for id in ids {
            let found = try await ipvs.service(id)
            #expect(found.service == VirtualService(id: id))
        }
        try await ipvs.delete(mark4)
        let left = try await ipvs.services().map(\.id)
        #expect(Set(left) == Set(ids).subtracting([mark4]))
    }

    static func tenThousandDestinationsInOnePipeline(_ ipvs: IPVS) async throws {
        let table = Table(
            (1...100).map { number in
                .init(
                    VirtualService(id: .firewallMark(FirewallMark(rawValue: number)!, .ipv4)),
                    destinations: (1...100).map {
                        Destination(IPAddress(ipv4: 10 << 24 | number << 8 | $0), port: 80)
                    })
            })
        try await ipvs.perform(Table.changes(from: Table(), to: table)).get()
        #expect(Table(try await ipvs.status()) == table)
    }

    static func aPartialChangeKeepsWhatItDoesNotName(_ ipvs: IPVS) async throws {
        let service = VirtualService(
            id: mark4, scheduler: .sourceHashing, flags: [.hashFallback, .hashPort],
            persistence: .init(timeoutSeconds: 77, netmask: .prefix(16)))
        let tunnelled = Destination(
            "10.2.0.1", port: 80, weight: 4, forwarding: .tunnel, upperThreshold: 9, lowerThreshold: 3,
            tunnel: .init(type: .gue, port: 6080, flags: .checksum))
        try await ipvs.create(service)
        try await ipvs.create(tunnelled, of: mark4)

        try await ipvs.modify(mark4) { $0.scheduler = .maglevHashing }
        try await ipvs.modify(tunnelled.id, of: mark4) { $0.weight = 0 }
        var wantedService = service
        wantedService.scheduler = .maglevHashing
        var wantedDestination = tunnelled
        wantedDestination.weight = 0
        let found = try await ipvs.service(mark4)
        #expect(found.service == wantedService)
        #expect(found.destinations.map(\.destination) == [wantedDestination])

        let error = await #expect(throws: IPVSError.self) {
            try await ipvs.modify(.init("10.9.9.9", port: 1), of: mark4) { $0.weight = 1 }
        }
        #expect(error?.code == .destinationNotFound)
    }
}
