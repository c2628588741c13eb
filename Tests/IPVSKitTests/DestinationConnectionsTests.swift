import Testing

@testable import IPVSKit

/// The connections of the table that delay the drain of a destination.
@Suite struct DestinationConnectionsTests {
    private static let task = Destination.ID("10.2.0.1", port: 8080)
    private static let web = VirtualService.ID.address("10.1.0.1", port: 80, protocol: .tcp)
    private static let mark = VirtualService.ID.firewallMark(0x102, .ipv4)

    private static func connection(
        _ state: Connection.State, to destination: Destination.ID = task, at virtual: IPAddress = "10.1.0.1",
        port: UInt16 = 80, of transport: TransportProtocol = .tcp, from clientPort: UInt16 = 40000
    ) -> Connection {
        Connection(
            protocol: transport, client: .init(virtual.family == .ipv4 ? "10.9.0.1" : "fd09::1", port: clientPort),
            virtual: .init(virtual, port: port), destination: destination, state: state, expiresInSeconds: 60)
    }

    private static func count(
        _ connections: [Connection], _ service: VirtualService.ID = web, _ destination: Destination.ID = task,
        _ transport: TransportProtocol? = nil
    ) -> (open: Int, closed: Int) {
        var found = DestinationConnections(destination: destination, service: service, transport: transport)
        for connection in connections { found.take(connection) }
        return (found.open, found.closed)
    }

    @Test(
        arguments: [
            (.timeWait, true), (.close, true), (.closed, true), (.rejected, true), (.finWait, false),
            (.closeWait, false),
            (.lastAck, false), (.established, false), (.synReceived, false), (.none, false), (.udp, false),
            ("S-SENT", false),
            ("tomorrow", false),
        ] as [(Connection.State, Bool)])
    func whatMayStillMoveDataIsOpen(state: Connection.State, isClosed: Bool) {
        #expect(Self.count([Self.connection(state)]) == (isClosed ? (0, 1) : (1, 0)))
    }

    @Test func aClientThatIsRememberedIsNoConnection() {
        #expect(Self.count([Self.connection(.none, from: 0), Self.connection(.assured, from: 0)]) == (0, 0))
        // An expected data connection of FTP.
        #expect(Self.count([Self.connection(.listen, from: 0)]) == (1, 0))
    }

    @Test func theConnectionsOfOthersDoNotCount() {
        let others = [
            Self.connection(.established, to: .init("10.2.0.2", port: 8080)),
            Self.connection(.established, to: .init("10.2.0.1", port: 8081)),
            Self.connection(.established, at: "10.1.0.2"), Self.connection(.established, port: 81),
            Self.connection(.established, of: .sctp), Self.connection(.established, at: "fd01::1"),
        ]
        #expect(Self.count(others) == (0, 0))
        // The table does not show for which addresses and ports a mark stands.
        #expect(Self.count(others, Self.mark) == (3, 0))
        #expect(Self.count(others, .firewallMark(0x102, .ipv6)) == (1, 0))
        // Whoever gave the mark knows for which protocol.
        #expect(Self.count(others, Self.mark, Self.task, .tcp) == (2, 0))
        #expect(Self.count(others, Self.mark, Self.task, .sctp) == (1, 0))
        // All ports of the client and of the destination.
        #expect(Self.count(others, .address("10.1.0.1", port: 0, protocol: .tcp)) == (1, 0))
        #expect(Self.count(others, Self.web, .init("10.2.0.1", port: 0)) == (1, 0))
    }

    /// The destination's own counters give the number of connections; the table shows which of them are closed.
    @Test func whatTheTableDoesNotShowIsOpen() {
        var found = DestinationConnections(destination: Self.task, service: Self.mark)
        #expect(found.left(of: 0) == 0 && found.left(of: 3) == 3)
        for _ in 0..<3 { found.take(Self.connection(.timeWait)) }
        #expect(found.left(of: 3) == 0 && found.left(of: 5) == 2)
        #expect(found.left(of: 2) == 0, "one was forgotten meanwhile")
        for _ in 0..<9 { found.take(Self.connection(.established)) }
        #expect(found.left(of: 4) == 4, "others are another service's")
    }
}
