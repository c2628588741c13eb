import IPVSKit
import IPVSKitTesting
import SystemPackage
import Testing

/// Draining on the fake kernel, whose connection table the test sets.
@Suite(.timeLimit(.minutes(1))) struct DrainTests {
    private static let web = VirtualService.ID.firewallMark(0x102, .ipv4)
    private static let destination = Destination("10.0.0.1", port: 80, weight: 3)
    private static let operation = "drain destination 10.0.0.1:80 of FWM 258"

    private static func fake(active: UInt32 = 0, inactive: UInt32) async throws -> FakeIPVS {
        let fake = FakeIPVS()
        try await fake.client.create(VirtualService(id: web))
        try await fake.client.create(destination, of: web)
        count(active: active, inactive: inactive, in: fake)
        return fake
    }

    private static func count(active: UInt32 = 0, inactive: UInt32, in fake: FakeIPVS) {
        var status = DestinationStatus(destination: destination)
        (status.activeConnections, status.inactiveConnections) = (active, inactive)
        fake.setStatus(status, of: web)
    }

    private static func connections(_ states: Connection.State...) -> [Connection] {
        states.enumerated().map { number, state in
            Connection(
                protocol: .tcp, client: .init("10.9.0.1", port: 40000 + UInt16(number)),
                virtual: .init("10.1.0.1", port: 1080), destination: destination.id, state: state, expiresInSeconds: 60)
        }
    }

    private static func drain(_ fake: FakeIPVS, within limit: Duration) async throws -> DrainResult {
        try await fake.client.drain(destination.id, of: web, within: limit, every: .milliseconds(10))
    }

    /// The kernel remembers closed connections for two minutes.
    @Test func whatIsClosedAndRememberedHoldsNothingBack() async throws {
        let fake = try await Self.fake(inactive: 2)
        fake.setConnections(Self.connections(.timeWait, .close))
        #expect(try await Self.drain(fake, within: .seconds(30)) == .removed)
        #expect(fake.description == "-A -f 258 -s rr")
    }

    @Test func whenTimeIsUpItSaysHowManyAreLeft() async throws {
        let fake = try await Self.fake(active: 1, inactive: 4)
        fake.setConnections(Self.connections(.timeWait, .established, .finWait, .closeWait, .close))
        let left = try await Self.drain(fake, within: .milliseconds(50))
        #expect(left == .connectionsLeft(3) && !left.isRemoved)
        #expect(fake.description == "-A -f 258 -s rr\n-a -f 258 -r 10.0.0.1:80 -m -w 0")
        #expect(try await Self.drain(fake, within: .zero) == .connectionsLeft(3))
        fake.setConnections([])
        #expect(try await Self.drain(fake, within: .zero) == .connectionsLeft(5), "the table need not show all")
        Self.count(inactive: 0, in: fake)
        let last = try await Self.drain(fake, within: .zero)
        #expect(last == .removed && last.isRemoved)
    }

    @Test func aHalfClosedConnectionIsWaitedFor() async throws {
        let fake = try await Self.fake(inactive: 2)
        fake.setConnections(Self.connections(.timeWait, .closeWait))
        let drain = Task { try await Self.drain(fake, within: .seconds(30)) }
        try await Task.sleep(for: .milliseconds(100))
        #expect(fake.description.contains("-r 10.0.0.1:80"))
        fake.setConnections(Self.connections(.timeWait, .timeWait))
        #expect(try await drain.value == .removed)
    }

    /// If the destination or the service disappears, the error names the drain, whichever step notices it.
    @Test func whatIsDeletedMeanwhileIsAnErrorOfTheDrain() async throws {
        for deletes: @Sendable (IPVS) async throws -> Void in [
            { try await $0.delete(Self.destination.id, of: Self.web) }, { try await $0.delete(Self.web) },
        ] {
            let fake = try await Self.fake(active: 1, inactive: 0)
            let drain = Task { try await Self.drain(fake, within: .seconds(30)) }
            try await Task.sleep(for: .milliseconds(50))
            try await deletes(fake.client)
            let error = await #expect(throws: IPVSError.self) { try await drain.value }
            #expect([.destinationNotFound, .serviceNotFound].contains(error?.code))
            #expect(error?.operation == Self.operation)
        }
    }

    /// An error of any step names the drain.
    @Test(arguments: [
        SimulatedRequest.Command.getService, .getDestination, .setDestination, .deleteDestination,
    ]) func everyErrorNamesTheDrain(command: SimulatedRequest.Command) async throws {
        let fake = try await Self.fake(inactive: 0)
        fake.inject(.error(.noMemory), next: 9, on: command)
        let error = await #expect(throws: IPVSError.self) { try await Self.drain(fake, within: .seconds(30)) }
        #expect(error?.errno == .noMemory && error?.operation == Self.operation)
    }

    @Test func aDeadlineAndACancellationEndIt() async throws {
        let fake = try await Self.fake(active: 1, inactive: 0)
        let impatient = fake.client(deadline: .milliseconds(200))
        fake.inject(.ignored, on: .setDestination)
        let late = await #expect(throws: IPVSError.self) {
            try await impatient.drain(Self.destination.id, of: Self.web, within: .seconds(30))
        }
        #expect(late?.code == .deadlineExceeded && late?.operation == Self.operation)
        let drain = Task { try await Self.drain(fake, within: .seconds(30)) }
        try await Task.sleep(for: .milliseconds(50))
        drain.cancel()
        let cancelled = await #expect(throws: IPVSError.self) { try await drain.value }
        #expect(cancelled?.code == .cancelled && cancelled?.operation == Self.operation)
    }

    /// The library parses the connection table that the fake prints.
    @Test func theConnectionTableIsReadAsItWasSet() async throws {
        let connections = [
            Self.connections(.established)[0],
            Connection(
                protocol: .sctp, client: .init("fd09::1", port: 9), virtual: .init("fd01::1", port: 80),
                destination: .init("10.0.0.1", port: 80), state: .closed, expiresInSeconds: 0),
            Connection(
                protocol: .init(rawValue: 0), client: .init("10.9.0.0", port: 0), virtual: .init("0.0.1.2", port: 0),
                destination: .init("10.0.0.1", port: 0), state: .assured, expiresInSeconds: 300,
                persistenceKey: .init(engine: "sip", data: "a b@c")),
            Connection(
                protocol: .init(rawValue: 47), client: .init("10.9.0.1", port: 1), virtual: .init("10.1.0.1", port: 2),
                destination: .init("10.0.0.1", port: 3), state: "tomorrow", expiresInSeconds: 1),
        ]
        let fake = FakeIPVS()
        fake.setConnections(connections)
        var found: [Connection] = []
        for try await connection in fake.client.connections() { found.append(connection) }
        #expect(found == connections)
    }

    /// The kernel sends no answer for a daemon whose thread has not run yet (EINTR): it is stopped all the same.
    @Test func aDaemonWhoseStopIsNotAnsweredIsStopped() async throws {
        let fake = FakeIPVS()
        let ipvs = fake.client(deadline: .seconds(5))
        try await ipvs.start(SyncDaemon(role: .backup, interface: "eth0"))
        fake.inject(.lost, on: .deleteDaemon)
        let took = try await ContinuousClock().measure { try await ipvs.stopDaemon(.backup) }
        #expect(took < .seconds(4))
        #expect(try await ipvs.daemons() == [])
        // A daemon that still runs is not reported as stopped.
        try await ipvs.start(SyncDaemon(role: .backup, interface: "eth0"))
        fake.inject(.ignored, on: .deleteDaemon)
        let error = await #expect(throws: IPVSError.self) { try await ipvs.stopDaemon(.backup) }
        #expect(error?.code == .daemonRunning && error?.operation == "stop the backup sync daemon")
    }
}
