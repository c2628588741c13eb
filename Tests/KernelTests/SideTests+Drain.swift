import IPVSKit
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests.SideTests {
    /// Checks the connection table and the counters of a destination before it is drained.
    private static func states(
        _ ipvs: IPVS, _ id: Destination.ID, of service: VirtualService.ID
    ) async throws -> (counted: UInt32, states: Set<Connection.State>) {
        let status = try await ipvs.destinations(of: service).first { $0.id == id }
        var states: Set<Connection.State> = []
        for try await connection in ipvs.connections()
        where !connection.isTemplate && connection.destination.address == id.address
            && (id.port == 0 || connection.destination.port == id.port)
        { states.insert(connection.state) }
        return ((status?.activeConnections ?? 0) + (status?.inactiveConnections ?? 0), states)
    }

    /// Drains a destination that has only closed connections left, which the kernel still remembers. This takes a
    /// fraction of the time that the kernel remembers them.
    private static func drains(
        _ id: Destination.ID, of service: VirtualService.ID, with state: Connection.State, on ipvs: IPVS
    ) async throws {
        let isReady = try await soon {
            let found = try await states(ipvs, id, of: service)
            return found.counted > 0 && found.states == [state]
        }
        let found = try await states(ipvs, id, of: service)
        #expect(isReady, "\(service): \(found)")
        let clock = ContinuousClock()
        let start = clock.now
        let result = try await ipvs.drain(id, of: service, within: .seconds(30))
        #expect(result == .removed, "\(service)")
        #expect(clock.now - start < .seconds(10), "\(service)")
        #expect(try await ipvs.destinations(of: service).allSatisfy { $0.id != id })
    }

    @Test func whatIsClosedAndRememberedDoesNotHoldUpADrain() async throws {
        try await Self.withServices { host, ipvs in
            let task = host.tasks[0].link
            #expect(try await host.client.get("10.1.0.1", port: 80, count: 4).count == 4)
            #expect(try await host.client.get("fd01::1", port: 80, count: 4).count == 4)
            try await Self.drains(.init(task.far4, port: 80), of: Self.web, with: .timeWait, on: ipvs)
            try await Self.drains(.init(task.far6, port: 80), of: Self.web6, with: .timeWait, on: ipvs)

            // A service by mark with persistence: no program listens there, and the client gets a reset.
            let mark = VirtualService.ID.firewallMark(0x102, .ipv4)
            _ = try await host.client.get("10.1.0.1", port: 90, count: 1)
            #expect(try await ipvs.destinations(of: mark).map(\.persistentConnections) == [1])
            let id = Destination.ID(task.far4, port: 0)
            #expect(try await ipvs.drain(id, of: mark, within: .seconds(30)) == .removed)
        }
    }

    @Test func anAssociationThatHasEndedDoesNotHoldUpADrain() async throws {
        try await Shell.check("modprobe", "sctp")
        try await Self.withServices { host, ipvs in
            let servers = try await host.serve(99, [.sctp])
            defer { servers.stop() }
            let id = VirtualService.ID.address("10.1.0.1", port: 99, protocol: .sctp)
            let destination = Destination(host.tasks[0].link.far4, port: 99)
            try await ipvs.create(VirtualService(id: id))
            try await ipvs.create(destination, of: id)
            #expect(try await host.client.ask(.sctp, "10.1.0.1", 99) == ["task1 10.1.0.2 99": 1])
            try await Self.drains(destination.id, of: id, with: .closed, on: ipvs)
        }
    }

    /// A client that has closed its side still receives, so the drain waits for it until it is reset.
    @Test func whatIsHalfClosedHoldsUpADrain() async throws {
        try await Self.withServices { host, ipvs in
            let destination = Destination(host.tasks[0].link.far4, port: 81)
            let id = VirtualService.ID.address("10.1.0.1", port: 81, protocol: .tcp)
            try await ipvs.create(VirtualService(id: id))
            try await ipvs.create(destination, of: id)
            var listener: TrafficSocket? = try await host.tasks[0].namespace.thread {
                let listener = try TrafficSocket(.tcp, .ipv4)
                try listener.bind(port: 81)
                try listener.listen()
                return listener
            }
            let clients = try await host.client.thread {
                try (0..<3).map { _ in
                    let client = try TrafficSocket(.tcp, .ipv4)
                    try client.connect("10.1.0.1", port: 81)
                    return client
                }
            }
            #expect(try await ipvs.drain(destination.id, of: id, within: .zero) == .connectionsLeft(3))
            // One established, one half-closed, one reset.
            #expect(shutdown(clients[1].descriptor, CInt(SHUT_WR)) == 0)
            clients[2].endAbruptly()
            close(clients[2].descriptor)
            let isReady = try await soon {
                try await Self.states(ipvs, destination.id, of: id).states == [.established, .closeWait, .close]
            }
            #expect(isReady)
            #expect(try await ipvs.drain(destination.id, of: id, within: .seconds(1)) == .connectionsLeft(2))
            let found = try await ipvs.service(id)
            #expect(found.destinations.map(\.destination.weight) == [0])
            // Closing the server's socket resets the connections that it has not accepted.
            let drain = Task { try await ipvs.drain(destination.id, of: id, within: .seconds(30)) }
            _ = listener
            listener = nil
            #expect(try await drain.value == .removed)
        }
    }

    /// The kernel does not see the end of a UDP connection.
    @Test func datagramsAreWaitedForUntilTheyAreForgotten() async throws {
        try await Self.withServices { host, ipvs in
            try await ipvs.set(Timeouts(udpSeconds: 3))
            try await Self.send("?", from: host.client, to: "10.1.0.1", port: 7)
            let destination = Destination.ID(host.tasks[0].link.far4, port: 7)
            #expect(try await ipvs.drain(destination, of: Self.echo, within: .zero) == .connectionsLeft(1))
            #expect(try await ipvs.drain(destination, of: Self.echo, within: .seconds(30)) == .removed)
            // One-packet scheduling leaves no connections.
            try await Self.send("?", from: host.client, to: "10.1.0.1", port: 5060)
            let other = Destination.ID(host.tasks[0].link.far4, port: 5060)
            #expect(try await ipvs.drain(other, of: Self.sip, within: .seconds(10)) == .removed)
        }
    }

    /// The article's example, after a request as by curl.
    @Test func theGuideDrainsWithinAMinute() async throws {
        try await Self.withServices { host, ipvs in
            let id = Destination.ID(host.tasks[0].link.far4, port: 80)
            var ran = ""
            for _ in 0..<2 { ran += try await host.client.check("curl", "-s", "http://10.1.0.1/") }
            #expect(ran.contains("task1"))
            let result = try await ipvs.drain(id, of: Self.web, within: .seconds(60))
            #expect(result == .removed)
        }
    }

    /// Reading the table is expensive, more so with many other connections, so the drain pauses in between.
    @Test func aDrainBesideThousandsOfConnectionsReadsThemSeldom() async throws {
        try await Self.withServices { host, ipvs in
            let address = host.clientLink.near4
            try await host.client.thread {
                for number in UInt16(0)..<6000 {
                    let socket = try TestSocket(.ipv4, SOCK_DGRAM)
                    try socket.bind(port: 10_000 + number)
                    try socket.connect(address, port: 7)
                    try socket.send("?")
                }
            }
            #expect(try await host.client.get("10.1.0.1", port: 80, count: 4).count == 4)
            let task = host.tasks[0].link.far4
            try await Self.drains(.init(task, port: 80), of: Self.web, with: .timeWait, on: ipvs)
            let left = try await ipvs.drain(.init(task, port: 7), of: Self.echo, within: .zero)
            #expect(left == .connectionsLeft(6000))
        }
    }
}
