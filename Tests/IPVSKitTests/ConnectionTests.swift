import TestSupport
import Testing

@testable import IPVSKit

/// Lines as Linux 6.1 and 6.12 printed them.
@Suite struct ConnectionTests {
    private static let heading = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData"
    private static let captured: [(line: String, printed: String)] = [
        (
            "UDP 0A010002 0000 0A010001 13C4 0A0B0002 13C4 NONE            298 sip a84b4c76e66710@pc33.example.com",
            "UDP 10.1.0.2:0 -> 10.1.0.1:5060 -> 10.11.0.2:5060 NONE 298s sip a84b4c76e66710@pc33.example.com"
        ),
        (
            "IP  0A010002 0000 00000102 0000 0A0B0002 0000 ASSURED         597",
            "IP 10.1.0.2:0 -> 0.0.1.2:0 -> 10.11.0.2:0 ASSURED 597s"
        ),
        (
            "TCP 0fd1:0000:0000:0000:0000:0000:0000:0002 BCE2 0fd1:0000:0000:0000:0000:0000:0000:0001 0050 "
                + "fd12:0000:0000:0000:0000:0000:0000:0002 1F90 ESTABLISHED     897",
            "TCP [fd1::2]:48354 -> [fd1::1]:80 -> [fd12::2]:8080 ESTABLISHED 897s"
        ),
        (
            "TCP 0A010002 AFA4 0A010001 0050 0A0B0002 1F90 CLOSE_WAIT       58",
            "TCP 10.1.0.2:44964 -> 10.1.0.1:80 -> 10.11.0.2:8080 CLOSE_WAIT 58s"
        ),
        (
            "TCP 0A010002 D4E8 0A010001 0051 fd12:0000:0000:0000:0000:0000:0000:0002 0051 SYN_RECV         58",
            "TCP 10.1.0.2:54504 -> 10.1.0.1:81 -> [fd12::2]:81 SYN_RECV 58s"
        ),
        (
            "IP  0fd1:0000:0000:0000:0000:0000:0000:0002 0000 0000:0102:0000:0000:0000:0000:0000:0000 0000 "
                + "fd11:0000:0000:0000:0000:0000:0000:0002 0000 ASSURED         597",
            "IP [fd1::2]:0 -> [0:102::]:0 -> [fd11::2]:0 ASSURED 597s"
        ),
        (
            "UDP 0A010002 C8FE 0A010001 0035 0A0B0002 0035 UDP             298",
            "UDP 10.1.0.2:51454 -> 10.1.0.1:53 -> 10.11.0.2:53 UDP 298s"
        ),
    ]

    private func parse(_ line: String) -> Connection? {
        Array(line.utf8).withUnsafeBufferPointer { Connection(line: $0) }
    }

    /// The connections that a reader finds in a file that arrives in chunks of this size.
    private func read(_ chunks: [[UInt8]]) async throws(IPVSError) -> [Connection] {
        var rest = chunks[...]
        let reader = ConnectionReader { () async throws(IPVSError) in rest.popFirst() ?? [] }
        var connections: [Connection] = []
        while let connection = try await reader.next() { connections.append(connection) }
        return connections
    }

    @Test(arguments: captured) func capturedLines(line: String, printed: String) throws {
        #expect(try #require(parse(line)).description == printed)
    }

    @Test func fields() throws {
        let sip = try #require(parse(Self.captured[0].line))
        #expect(
            sip
                == Connection(
                    protocol: .udp, client: .init("10.1.0.2", port: 0), virtual: .init("10.1.0.1", port: 5060),
                    destination: .init("10.11.0.2", port: 5060), state: .none, expiresInSeconds: 298,
                    persistenceKey: .init(engine: "sip", data: "a84b4c76e66710@pc33.example.com")))
        #expect(sip.isTemplate && sip.firewallMark == nil)
        for index in [1, 5] {
            let template = try #require(parse(Self.captured[index].line))
            #expect(template.isTemplate && template.firewallMark == 0x102 && template.state == .assured)
        }
        #expect(try #require(parse(Self.captured[3].line)).isTemplate == false)
        // An expected data connection of FTP.
        #expect(parse("TCP 0A010002 0000 0A010001 0014 0A0B0002 0014 LISTEN 119")?.isTemplate == false)
    }

    @Test func whatIsUnknownIsKept() throws {
        let line = "IP_47 0A010002 0001 0A010001 0050 0A0B0002 1F90 ERR!  4294967295 new x  y z "
        let connection = try #require(parse(line))
        #expect(connection.protocol.rawValue == 47 && connection.state == "ERR!")
        #expect(connection.expiresInSeconds == .max)
        #expect(connection.persistenceKey == .init(engine: "new", data: "x  y z "))
        #expect(parse("ICMPv6 0A010002 0001 0A010001 0050 0A0B0002 1F90 NONE 1")?.protocol.rawValue == 58)
        #expect(parse("SCTP 0A010002 0001 0A010001 0050 0A0B0002 1F90 COOKIE 1")?.protocol == .sctp)
    }

    /// The kernel subtracts unsigned times and divides: an overdue timer shows as a number of 64 bits.
    @Test(arguments: ["18446744073709551", "73786976294838206", "4294967296"])
    func aTimerThatIsDueIsNoError(seconds: String) throws {
        let connection = try #require(parse("TCP 0A010002 AFA4 0A010001 0050 0A0B0002 1F90 CLOSE \(seconds)"))
        #expect(connection.expiresInSeconds == 0)
    }

    @Test(
        arguments: [
            "TCP", "TCP 0A010002", "tcp 0A010002 AFA4 0A010001 0050 0A0B0002 1F90 CLOSE_WAIT 58",
            "TCP 0A01000 AFA4 0A010001 0050 0A0B0002 1F90 CLOSE_WAIT 58",
            "TCP 0A01000G AFA4 0A010001 0050 0A0B0002 1F90 CLOSE_WAIT 58",
            "TCP 0A010002 AFA45 0A010001 0050 0A0B0002 1F90 CLOSE_WAIT 58",
            "TCP 0A010002 AFA4 0A010001 0050 0A0B0002 1F90 CLOSE_WAIT",
            "TCP 0A010002 AFA4 0A010001 0050 0A0B0002 1F90 CLOSE_WAIT 5A",
            "TCP 0A010002 AFA4 0A010001 0050 0A0B0002 1F90 CLOSE_WAIT 18446744073709551616",
            "TCP 0A010002 AFA4 0fd1:0000:0000:0000:0000:0000:0000:0001 0050 0A0B0002 1F90 CLOSE_WAIT 58",
            "TCP 0fd1-0000:0000:0000:0000:0000:0000:0002 AFA4 0fd1:0000:0000:0000:0000:0000:0000:0001 0050 0A0B0002 "
                + "1F90 CLOSE_WAIT 58",
            "IP_65536 0A010002 AFA4 0A010001 0050 0A0B0002 1F90 CLOSE_WAIT 58", "IP_ 0A010002 AFA4 0A010001 0050",
            "10.1.0.2:0 10.1.0.1:80",
        ])
    func aLineThatIsNoneIsAnErrorThatNamesIt(line: String) async throws {
        #expect(parse(line) == nil)
        let text = [Self.heading, Self.captured[1].line, line, Self.captured[2].line].joined(separator: "\n")
        let error = await #expect(throws: IPVSError.self) { try await read([Array(text.utf8)]) }
        #expect(error?.code == .communication)
        #expect(error?.hint == "line 3 of /proc/net/ip_vs_conn is not a connection: \(line.debugDescription)")
    }

    @Test func afterAnErrorThereIsNoNext() async throws {
        var chunks = [Array("Pro\n".utf8), Array("nonsense\n".utf8), Array(Self.captured[1].line.utf8)][...]
        let reader = ConnectionReader { () async throws(IPVSError) in chunks.popFirst() ?? [] }
        await #expect(throws: IPVSError.self) { try await reader.next() }
        #expect(try await reader.next() == nil)
        #expect(try await reader.next() == nil)
        #expect(chunks.count == 2)
    }

    @Test func anEmptyTable() async throws {
        #expect(try await read([]) == [])
        #expect(try await read([Array((Self.heading + "\n").utf8)]) == [])
    }

    @Test func readsNoFurtherThanItIsAsked() async throws {
        var reads = 0
        let line = Array((Self.captured[3].line + "\n").utf8)
        let reader = ConnectionReader { () async throws(IPVSError) in
            reads += 1
            return line + line
        }
        for expected in [1, 1, 2, 2, 3] {
            #expect(try await reader.next() != nil)
            #expect(reads == expected)
        }
    }

    @Test func chunksMayEndAnywhere() async throws {
        var random = SeededGenerator.announced()
        let lines = (0..<300).map { _ in Self.captured.randomElement(using: &random)!.line }
        let bytes = Array(([Self.heading] + lines).map { $0 + "\n" }.joined().utf8)
        var chunks: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...200, using: &random)
            chunks.append(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        #expect(try await read(chunks) == lines.compactMap(parse))
        #expect(try await read([bytes]).count == 300)
    }

    /// Bytes are changed, inserted and removed: the result must be a connection, an error or the end, and never a
    /// crash.
    @Test func anyBytesAtAll() async throws {
        var random = SeededGenerator.announced()
        for _ in 0..<2000 {
            // Other tests measure time on the same few threads meanwhile.
            await Task.yield()
            var line = Array(Self.captured.randomElement(using: &random)!.line.utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<max(line.count, 1), using: &random)
                let byte = UInt8.random(in: 0...255, using: &random)
                switch Int.random(in: 0...3, using: &random) {
                case 0 where !line.isEmpty: line[place] = byte
                case 1: line.insert(byte, at: place)
                case 2 where !line.isEmpty: line.remove(at: place)
                default: line = Array(line.prefix(place))
                }
            }
            do {
                _ = try await read([line])
            } catch {
                #expect(error.code == .communication)
            }
        }
    }
}
