import IPVSKit
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests.SideTests {
    private static let call = """
        OPTIONS sip:a@10.1.0.1 SIP/2.0\r
        Via: SIP/2.0/UDP 10.1.0.2:5060;branch=z9hG4bK1\r
        From: <sip:b@10.1.0.2>;tag=1\r
        To: <sip:a@10.1.0.1>\r
        Call-ID: a84b4c76e66710@pc33.example.com\r
        CSeq: 1 OPTIONS\r
        Content-Length: 0\r
        \r

        """

    /// Connections of both families, templates, a tunnel to the other family and data of a persistence engine, compared
    /// line by line with ipvsadm.
    @Test func connectionsAreThoseThatIpvsadmShows() async throws {
        try await Self.withServices { host, ipvs in
            #expect(try await host.client.get("10.1.0.1", port: 80, count: 3).count == 3)
            #expect(try await host.client.get("fd01::1", port: 80, count: 3).count == 3)
            // No program listens there: the client gets a reset, and the kernel still remembers the connection.
            _ = try await host.client.get("10.1.0.1", port: 90, count: 1)
            _ = try await host.client.get("fd01::1", port: 90, count: 1)
            try await Self.send("?", from: host.client, to: "10.1.0.1", port: 7)
            try await Self.send("?", from: host.client, to: "10.1.0.1", port: 9)
            try await Self.send(Self.call, from: host.client, to: "10.1.0.1", port: 5060)

            let connections = try await Array(ipvs.connections())
            let shown = try await host.node.check("ipvsadm", "-Lcn", "--persistent-conn")
            var seconds: [String: Int] = [:]
            for line in shown.split(separator: "\n").dropFirst(2) {
                let fields = line.split(separator: " ").map(String.init)
                let expire = fields[1].split(separator: ":").compactMap { Int($0) }
                seconds[(fields[..<1] + fields[2...]).joined(separator: " ")] = expire[0] * 60 + expire[1]
            }
            let ours = connections.map { connection in
                let name =
                    connection.protocol.rawValue == 0 ? "IP" : connection.protocol.description.uppercased()
                let key = connection.persistenceKey.map { " \($0.engine) \($0.data)" } ?? ""
                return "\(name) \(connection.state) \(connection.client) \(connection.virtual) "
                    + "\(connection.destination)\(key)"
            }
            #expect(Set(ours) == Set(seconds.keys))
            for (line, connection) in zip(ours, connections) {
                let theirs = try #require(seconds[line])
                #expect(abs(theirs - Int(connection.expiresInSeconds)) <= 3, "\(line): \(theirs)")
            }

            // Every kind of line that the kernel can print is among them.
            #expect(connections.count { $0.virtual == .init("10.1.0.1", port: 80) } == 3)
            #expect(connections.count { $0.virtual == .init("fd01::1", port: 80) && !$0.isTemplate } == 3)
            #expect(connections.count { $0.firewallMark == 0x102 } == 2)
            #expect(connections.count { $0.isTemplate } == 4)
            #expect(connections.contains { $0.client.address.family != $0.destination.address.family })
            #expect(
                connections.compactMap(\.persistenceKey) == [
                    .init(engine: "sip", data: "a84b4c76e66710@pc33.example.com")
                ])
            // Another namespace has none of these connections.
            #expect(try await Array(IPVS(in: .named(host.client.name)).connections()).isEmpty)
        }
    }

    /// Each of thousands of connections is seen once, and a consumer that stops early leaves no thread and no open file
    /// behind.
    @Test func aLargeTableIsReadInPartsAndCanBeLeft() async throws {
        try await Self.withServices { host, ipvs in
            let count: UInt16 = 6000
            let address = host.clientLink.near4
            try await host.client.thread {
                for number in 0..<count {
                    let socket = try TestSocket(.ipv4, SOCK_DGRAM)
                    try socket.bind(port: 10_000 + number)
                    try socket.connect(address, port: 7)
                    try socket.send("?")
                }
            }
            let clock = ContinuousClock()
            var ports: [UInt16: Int] = [:]
            let taken = try await clock.measure {
                for try await connection in ipvs.connections() where !connection.isTemplate {
                    ports[connection.client.port, default: 0] += 1
                }
            }
            print("SideTests: \(count) connections read in \(taken)")
            #expect(ports.count == Int(count))
            #expect(ports.values.allSatisfy { $0 == 1 })

            let before = try ownThreads().count
            for taken in [2000] + Array(repeating: 1, count: 20) {
                var seen = 0
                for try await _ in ipvs.connections() {
                    seen += 1
                    if seen == taken { break }
                }
                #expect(seen == taken)
                #expect(try await soon { try openFiles(named: "ip_vs_conn") == 0 })
            }
            #expect(try await soon { try ownThreads().count < before + 10 })

            // A consumer that is cancelled stops, too.
            let task = Task {
                while true { for try await _ in ipvs.connections() {} }
            }
            try await Task.sleep(for: .milliseconds(100))
            task.cancel()
            let error = await #expect(throws: IPVSError.self) { try await task.value }
            #expect(error?.code == .cancelled)
            #expect(try await soon { try openFiles(named: "ip_vs_conn") == 0 })
        }
    }

    @Test func theGlobalStatisticsAreTheSumOfTheServices() async throws {
        try await Self.withServices { host, ipvs in
            #expect(try await ipvs.globalStatistics() == Statistics())
            #expect(try await host.client.get("10.1.0.1", port: 80, count: 10).count == 10)
            #expect(try await host.client.get("fd01::1", port: 80, count: 5).count == 5)
            // The estimator updates the counters every two seconds, one after the other.
            var total = Statistics()
            var services: [Statistics] = []
            var sum: (UInt64, UInt64) = (0, 1)
            for _ in 0..<60 {
                total = try await ipvs.globalStatistics()
                services = try await ipvs.services().map(\.statistics)
                sum = services.reduce((0, 0)) { ($0.0 + $1.connections, $0.1 + $1.incomingBytes) }
                if total.connections == 15, sum == (total.connections, total.incomingBytes) { break }
                try await Task.sleep(for: .milliseconds(200))
            }
            #expect(total.connections == 15)
            #expect(sum == (total.connections, total.incomingBytes))
            #expect(total.connectionRate > 0 && total.outgoingBytes > total.outgoingPackets)
            #expect(try await IPVS(in: .named(host.client.name)).globalStatistics() == Statistics())
        }
    }
}

extension Array {
    fileprivate init(_ sequence: some AsyncSequence<Element, IPVSError>) async throws(IPVSError) {
        self.init()
        for try await element in sequence { append(element) }
    }
}
