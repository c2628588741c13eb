import IPVSKit
import Testing

extension IPVSContract {
    static func createOrUpdate(_ ipvs: IPVS) async throws {
        for scheduler: Scheduler in [.roundRobin, .weightedRoundRobin, .weightedRoundRobin] {
            let service = VirtualService(id: mark4, scheduler: scheduler)
            try await ipvs.createOrUpdate(service)
            for weight in UInt32(1)...2 {
                let destination = Destination("10.2.0.1", port: 80, weight: weight)
                try await ipvs.createOrUpdate(destination, of: mark4)
                let found = try await ipvs.service(mark4)
                #expect(found.service == service && found.destinations.map(\.destination) == [destination])
            }
        }
        func code(_ body: () async throws -> Void) async -> IPVSError.Code? {
            await #expect(throws: IPVSError.self) { try await body() }?.code
        }
        #expect(
            await code { try await ipvs.createOrUpdate(Destination("10.2.0.1", port: 80), of: mark6) }
                == .serviceNotFound)
        #expect(
            await code { try await ipvs.createOrUpdate(VirtualService(id: mark4, scheduler: "nosuch")) }
                == .schedulerNotFound)
        #expect(
            await code { try await ipvs.createOrUpdate(VirtualService(id: mark6, scheduler: "nosuch")) }
                == .schedulerNotFound)
        #expect(await code { try await ipvs.createOrUpdate(Destination("224.0.0.1", port: 80), of: mark4) } == .invalid)
        let left = try await ipvs.services().map(\.service.scheduler)
        #expect(left == [.weightedRoundRobin])
    }

    static func whatHasNoConnectionsIsDrainedAtOnce(_ ipvs: IPVS) async throws {
        let destinations = (UInt32(1)...2).map { Destination(IPAddress(ipv4: 10 << 24 | $0), port: 80) }
        try await ipvs.create(VirtualService(id: mark4))
        for destination in destinations { try await ipvs.create(destination, of: mark4) }
        let result = try await ipvs.drain(destinations[0].id, of: mark4, within: .seconds(20))
        #expect(result == .removed)
        let left = try await ipvs.destinations(of: mark4).map(\.destination)
        #expect(left == [destinations[1]])
        let absent = await #expect(throws: IPVSError.self) {
            try await ipvs.drain(destinations[0].id, of: mark4, within: .seconds(20))
        }
        #expect(absent?.code == .destinationNotFound)
        #expect(absent?.operation == "drain destination 10.0.0.1:80 of FWM 258")
        let nowhere = await #expect(throws: IPVSError.self) {
            try await ipvs.drain(destinations[0].id, of: mark6, within: .seconds(20))
        }
        #expect(nowhere?.code == .serviceNotFound)
        #expect(nowhere?.operation == "drain destination 10.0.0.1:80 of FWM 258 IPv6")
    }

    /// The kernel's errno, and a reason that it does not give.
    static func refusalsAreExplained(_ subject: Subject) async throws {
        let ipvs = subject.ipvs
        try await ipvs.create(VirtualService(id: mark4))
        try await ipvs.create(VirtualService(id: mark6))
        let tunnelled = Destination("fd02::1", port: 80, forwarding: .tunnel)
        let refusals: [(Change, IPVSError.Code, String)] = [
            (.createDestination(Destination("0.0.0.0", port: 80), of: mark4), .invalid, "the unspecified address"),
            (.createDestination(Destination("224.0.0.1", port: 80), of: mark4), .invalid, "multicast"),
            (.createDestination(Destination("255.255.255.255", port: 80), of: mark4), .invalid, "broadcast"),
            (.createDestination(Destination("ff02::1", port: 80), of: mark6), .invalid, "multicast"),
            (.createDestination(Destination("fe80::1", port: 80), of: mark6), .invalid, "link-local"),
            (.createDestination(Destination("::ffff:10.0.0.1", port: 80), of: mark6), .invalid, "is an IPv4 address"),
            (.createDestination(Destination("fd02::1", port: 80), of: mark4), .invalid, "only a tunnel"),
            (
                .createDestination(
                    Destination("10.2.0.1", port: 80, forwarding: .tunnel, tunnel: .init(type: .gue)), of: mark4),
                .invalid, "needs a port"
            ),
            (
                .createDestination(Destination("10.2.0.1", port: 80, weight: .max), of: mark4), .outOfRange,
                "2147483647 at most"
            ),
            (
                .createDestination(Destination("10.2.0.1", port: 80, upperThreshold: 1, lowerThreshold: 2), of: mark4),
                .outOfRange, "above the upper one"
            ),
        ]
        let result = try await ipvs.perform(refusals.map(\.0))
        #expect(result.failures.count == refusals.count)
        for failure in result.failures {
            let (change, code, reason) = refusals[failure.index]
            #expect(failure.error.code == code, "\(change)")
            #expect(failure.error.hint?.contains(reason) == true, "\(failure.error)")
        }

        try await ipvs.create(tunnelled, of: mark4)
        let master = SyncDaemon(role: .master, interface: subject.interface)
        var error = await #expect(throws: IPVSError.self) { try await ipvs.start(master) }
        #expect(error?.hint?.contains("another family than its service") == true)
        try await ipvs.delete(tunnelled.id, of: mark4)
        error = await #expect(throws: IPVSError.self) {
            try await ipvs.start(SyncDaemon(role: .master, interface: subject.interface, group: "10.0.0.1"))
        }
        #expect(error?.hint == "10.0.0.1 is not a multicast address")
    }
}
