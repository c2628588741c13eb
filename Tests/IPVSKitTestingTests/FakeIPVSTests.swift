import IPVSKit
import IPVSKitTesting
import Synchronization
import SystemPackage
import Testing

/// The features of the fake that the kernel does not have: a text, and counters and faults that a test sets.
@Suite(.timeLimit(.minutes(1))) struct FakeIPVSTests {
    private static let web = VirtualService.ID.firewallMark(0x102, .ipv4)

    @Test func countersAreSetByHandAndZeroed() async throws {
        let fake = FakeIPVS()
        let destination = Destination("10.0.0.1", port: 80)
        try await fake.client.create(VirtualService(id: Self.web))
        try await fake.client.create(destination, of: Self.web)
        var counted = Statistics()
        counted.connections = 5_000_000_000
        counted.incomingByteRate = 7
        fake.setStatistics(counted, of: Self.web)
        var status = DestinationStatus(destination: destination, statistics: counted)
        status.activeConnections = 3
        fake.setStatus(status, of: Self.web)

        let before = try await fake.client.service(Self.web)
        #expect(before.statistics == counted)
        #expect(before.destinations == [status])
        try await fake.client.zero(Self.web)
        let after = try await fake.client.service(Self.web)
        #expect(after.statistics == Statistics())
        #expect(after.destinations.map(\.statistics) == [Statistics()])
        #expect(after.destinations.map(\.activeConnections) == [3], "connections are no counter")
    }

    /// A body must not replace the object by another one: the one that was named would stay, and the other would be
    /// written.
    @Test func whatIsModifiedStaysTheSameObject() async {
        await #expect(processExitsWith: .failure) {
            let fake = FakeIPVS()
            let ids = (VirtualService.ID.firewallMark(1, .ipv4), VirtualService.ID.firewallMark(2, .ipv4))
            try await fake.client.create(VirtualService(id: ids.0))
            try await fake.client.modify(ids.0) { $0 = VirtualService(id: ids.1) }
        }
        await #expect(processExitsWith: .failure) {
            let fake = FakeIPVS()
            let web = VirtualService.ID.firewallMark(1, .ipv4)
            try await fake.client.create(VirtualService(id: web))
            try await fake.client.create(Destination("10.0.0.1", port: 80), of: web)
            try await fake.client.modify(.init("10.0.0.1", port: 80), of: web) {
                $0 = Destination("10.0.0.2", port: 80)
            }
        }
    }

    /// Setting the status stands for traffic, which changes only counters and connections.
    @Test func aStatusThatIsSetChangesNothingThatWasAskedFor() async throws {
        let fake = FakeIPVS()
        let destination = Destination("10.0.0.1", port: 80, weight: 3)
        try await fake.client.create(VirtualService(id: Self.web))
        try await fake.client.create(destination, of: Self.web)
        var status = DestinationStatus(
            destination: Destination("10.0.0.1", port: 80, weight: .max, upperThreshold: 1, lowerThreshold: 2))
        status.activeConnections = 4
        fake.setStatus(status, of: Self.web)
        let found = try await fake.client.destinations(of: Self.web)
        status.destination = destination
        #expect(found == [status])
    }

    /// An interval of zero must not make the client ask as fast as the kernel answers.
    @Test func drainingLooksNoMoreOftenThanItIsWorth() async throws {
        let requests = Tally()
        let ipvs = IPVS(simulating: { (request: SimulatedRequest) -> [SimulatedReply] in
            switch request.command {
            case .getService:
                return [.service(VirtualServiceSummary(service: VirtualService(id: Self.web))), .acknowledgement]
            case .getDestination:
                requests.count.add(1, ordering: .relaxed)
                var status = DestinationStatus(destination: Destination("10.0.0.1", port: 80, weight: 0))
                status.activeConnections = 1
                return [.destination(status), .done]
            default: return [.acknowledgement]
            }
        })
        let result = try await ipvs.drain(
            .init("10.0.0.1", port: 80), of: Self.web, within: .milliseconds(100), every: .zero)
        #expect(result == .connectionsLeft(1))
        #expect(requests.count.load(ordering: .relaxed) <= 13)
    }

    @Test func whatHasConnectionsIsDrainedWhenTheyEnd() async throws {
        let fake = FakeIPVS()
        let destination = Destination("10.0.0.1", port: 80, weight: 3)
        try await fake.client.create(VirtualService(id: Self.web))
        try await fake.client.create(destination, of: Self.web)
        var drained = destination
        drained.weight = 0
        var status = DestinationStatus(destination: drained)
        // Half-closed.
        status.inactiveConnections = 1
        fake.setStatus(status, of: Self.web)
        let result = try await fake.client.drain(
            destination.id, of: Self.web, within: .milliseconds(30), every: .milliseconds(10))
        #expect(result == .connectionsLeft(1))
        #expect(fake.description == "-A -f 258 -s rr\n-a -f 258 -r 10.0.0.1:80 -m -w 0", "it gets no new ones")

        let drain = Task {
            try await fake.client.drain(destination.id, of: Self.web, within: .seconds(30), every: .milliseconds(1))
        }
        status.activeConnections = 1
        fake.setStatus(status, of: Self.web)
        try await Task.sleep(for: .milliseconds(20))
        #expect(fake.description.contains("-a"))
        fake.setStatus(DestinationStatus(destination: drained), of: Self.web)
        #expect(try await drain.value == .removed)
        #expect(fake.description == "-A -f 258 -s rr")

        try await fake.client.create(destination, of: Self.web)
        fake.setStatus(status, of: Self.web)
        let cancelled = Task { try await fake.client.drain(destination.id, of: Self.web, within: .seconds(30)) }
        try await Task.sleep(for: .milliseconds(20))
        cancelled.cancel()
        let error = await #expect(throws: IPVSError.self) { try await cancelled.value }
        #expect(error?.code == .cancelled)
        #expect(error?.operation == "drain destination 10.0.0.1:80 of FWM 258")
    }

    /// The object is deleted and created between any two requests. The call must end with an error instead of looping
    /// for ever.
    @Test func whatAnotherProgramMakesAndDeletesIsGivenUp() async throws {
        let requests = Tally()
        let ipvs = IPVS(simulating: { (request: SimulatedRequest) -> [SimulatedReply] in
            requests.count.add(1, ordering: .relaxed)
            return [.error(request.command == .newService ? .fileExists : .noSuchProcess)]
        })
        let error = await #expect(throws: IPVSError.self) {
            try await ipvs.createOrUpdate(VirtualService(id: Self.web))
        }
        #expect(error?.code == .inconsistent)
        #expect(requests.count.load(ordering: .relaxed) == 20)
    }

    private final class Tally: Sendable {
        let count = Atomic(0)
    }

    @Test func aRefusalIsInjectedForSoManyRequestsOfAKind() async throws {
        let fake = FakeIPVS()
        fake.inject(.error(.noMemory), next: 2, on: .newDestination)
        try await fake.client.create(VirtualService(id: Self.web))
        let result = try await fake.client.perform(
            (1...4).map { .createDestination(Destination(IPAddress(ipv4: 10 << 24 | $0), port: 80), of: Self.web) })
        #expect(result.failures.map(\.index) == [0, 1])
        #expect(result.failures.map(\.error.errno) == [.noMemory, .noMemory])
        #expect(
            fake.description == """
                -A -f 258 -s rr
                -a -f 258 -r 10.0.0.4:80 -m -w 1
                -a -f 258 -r 10.0.0.3:80 -m -w 1
                """)
    }

    @Test func anAnswerThatIsLostLeavesTheOutcomeUnknown() async throws {
        let fake = FakeIPVS()
        let ipvs = fake.client(deadline: .seconds(1))
        fake.inject(.lost)
        let result = try await ipvs.perform([.createService(VirtualService(id: Self.web))])
        #expect(result[0] == .unknown)
        #expect(result.interruption?.code == .deadlineExceeded)
        #expect(fake.description == "-A -f 258 -s rr", "it was done all the same")

        fake.inject(.ignored)
        let error = await #expect(throws: IPVSError.self) { try await ipvs.delete(Self.web) }
        #expect(error?.code == .deadlineExceeded)
        #expect(fake.description == "-A -f 258 -s rr")
        try await ipvs.delete(Self.web)
        #expect(fake.description == "")
    }

    @Test func anAnswerThatIsNoNetlinkIsAnError() async throws {
        let fake = FakeIPVS()
        fake.inject(.malformed)
        let error = await #expect(throws: IPVSError.self) { try await fake.client.services() }
        #expect(error?.code == .communication)
        let services = try await fake.client.services()
        #expect(services.isEmpty)
    }

    @Test func twoClientsShareAKernelAndTwoKernelsNothing() async throws {
        let fake = FakeIPVS()
        try await fake.client.create(VirtualService(id: Self.web))
        let other = try await fake.client(deadline: .seconds(30)).services()
        #expect(other.map(\.id) == [Self.web])
        let elsewhere = try await FakeIPVS().client.services()
        #expect(elsewhere.isEmpty)
    }

    @Test func whatModulesThereAreIsForTheTestToSay() async throws {
        let fake = FakeIPVS(schedulers: [.roundRobin], persistenceEngines: [])
        try await fake.client.create(VirtualService(id: Self.web))
        for (service, code): (VirtualService, IPVSError.Code) in [
            (VirtualService(id: Self.web, scheduler: .maglevHashing), .schedulerNotFound),
            (
                VirtualService(id: Self.web, persistence: .init(), persistenceEngine: "sip"),
                .persistenceEngineNotFound
            ),
        ] {
            let error = await #expect(throws: IPVSError.self) { try await fake.client.update(service) }
            #expect(error?.code == code)
        }
    }
}
