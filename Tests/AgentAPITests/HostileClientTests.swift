import Dispatch
import MeshKit
import Netlink
import Testing

@testable import AgentAPI

/// Clients that do not behave: each is refused, and the next one is answered.
@Suite(.serialized, .timeLimit(.minutes(1))) struct HostileClientTests {
    private static let unknown = [
        ("GET", "/", 404), ("GET", "/v2/status", 404), ("GET", "/v1/status/", 404), ("GET", "//metrics", 404),
        ("GET", "/v1/%2e%2e/metrics", 404), ("POST", "/v1/status", 405), ("DELETE", "/metrics", 405),
        ("PUT", "/nothing", 404), ("HEAD", "/metrics", 405), ("OPTIONS", "/metrics", 405), ("PUT", "/v1/mesh", 405),
        ("GET", "/v1/apply", 405), ("DELETE", "/v1/reconcile", 405),
    ]

    @Test func whatIsUnknownIsRefused() async throws {
        try await ServerUnderTest.with { server in
            for (method, path, status) in Self.unknown {
                let answer = try await server.ask(path, method: method)
                #expect(answer.status == status, "\(method) \(path): \(answer)")
                #expect(method == "HEAD" || answer.body.hasPrefix(#"{"error":""#), "\(answer)")
                let allowed =
                    Endpoints.ofSocket(offering: server.information.changes.offered)[path].map { "\($0.method)" } ?? ""
                #expect(status != 405 || answer.head.contains("Allow: \(allowed)\r\n"), "\(answer)")
            }
            try await server.expectAnswer()
        }
    }

    /// A request, of which a failure names the beginning.
    struct Request: CustomTestStringConvertible {
        var text: String
        var testDescription: String { text.prefix(40).debugDescription }
    }

    static let malformed = [
        "nonsense\r\n\r\n", "\0\u{1}\u{2}\u{FF}\r\n\r\n", "GET\r\n\r\n", "GET /metrics HTTP/9.9\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nNo colon\r\n\r\n",
        "GET /\(String(repeating: "x", count: 20_000)) HTTP/1.1\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nX: \(String(repeating: "x", count: 20_000))\r\n\r\n",
        "GET /metrics HTTP/1.1\r\n" + String(repeating: "X: y\r\n", count: 5000) + "\r\n",
    ].map(Request.init)

    @Test(arguments: malformed) func whatIsMalformedOrTooLargeEndsTheConnection(request: Request) async throws {
        try await ServerUnderTest.with { server in
            let client = try RawClient(server.address)
            await client.send(request.text)
            let answer = await client.read()
            #expect(answer.hasEnded && RawClient.parse(answer.text).status == 400, "\(answer)")
            try await server.expectAnswer()
        }
    }

    /// The rest of a large body is not waited for.
    @Test(
        arguments: [
            "Content-Length: 1000000000000", "Content-Length: 99999999999999999999", "Transfer-Encoding: chunked",
            "Content-Length: 5000",
        ]) func aBodyIsRefused(field: String) async throws
    {
        try await ServerUnderTest.with { server in
            for method in ["GET", "POST"] {
                let client = try RawClient(server.address)
                await client.send("\(method) /v1/status HTTP/1.1\r\nHost: x\r\n\(field)\r\n\r\n100\r\n")
                let answer = await client.read()
                let (status, head, body) = RawClient.parse(answer.text)
                #expect(answer.hasEnded && [400, 413].contains(status), "\(answer)")
                #expect(status == 400 || body.hasPrefix(#"{"error":""#), "\(answer)")
                #expect(head.lowercased().contains("connection: close"), "\(answer)")
                await client.send(String(repeating: "x", count: 1 << 20))
            }
            try await server.expectAnswer()
        }
    }

    /// A small body is read past, and so the connection answers the next question.
    @Test func aSmallBodyIsIgnored() async throws {
        try await ServerUnderTest.with { server in
            let client = try RawClient(server.address)
            await client.send("GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
            await client.send("GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            let answer = await client.read()
            #expect(answer.text.contains("agent began") && answer.text.hasSuffix("{\"drift\":0}\n"), "\(answer)")
        }
    }

    /// Old and unusual, but requests.
    @Test(
        arguments: [
            "GET /healthz HTTP/1.0\r\n\r\n", "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n",
            "GET /healthz?a=b HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
            "GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n",
        ]) func unusualRequestsAreAnswered(request: String) async throws
    {
        try await ServerUnderTest.with { server in
            let client = try RawClient(server.address)
            await client.send(request)
            let answer = await client.read { $0.contains(".\n") }.text
            #expect(RawClient.parse(answer).status == 200, "\(answer)")
        }
    }

    @Test func twoHundredIdleConnectionsDisturbNobody() async throws {
        try await ServerUnderTest.with { server in
            let idle = try (0..<200).map { _ in try RawClient(server.address) }
            for client in idle.prefix(100) { await client.send("GET /metrics HTT") }
            try await server.expectAnswer()
            withExtendedLifetime(idle) {}
        }
    }

    /// More than the server has room for wait until the idle ones are closed.
    @Test func idleConnectionsAreClosed() async throws {
        var limits = AgentServer.Limits()
        limits.connections = 8
        limits.idle = .milliseconds(300)
        try await ServerUnderTest.with(limits: limits) { server in
            let idle = try (0..<20).map { _ in try RawClient(server.address) }
            for client in idle.prefix(8) { await client.send("GET /metrics HTTP/1.1\r\n") }
            try await server.expectAnswer()
            withExtendedLifetime(idle) {}
        }
    }

    /// Neither a client that does not read nor a question that takes long keeps the agent from ending.
    @Test func nobodyKeepsTheServerFromEnding() async throws {
        let clients = Clients()
        let took = try await ServerUnderTest.with(
            observe: { throw AgentServerError("no") }, status: { _ in "" }
        ) { server in
            for _ in 0..<3 {
                let client = try RawClient(server.address)
                let request = String(repeating: "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", count: 100)
                for _ in 0..<200 { guard await client.send(request) == request.utf8.count else { break } }
                await clients.keep(client)
            }
        }
        #expect(took < .seconds(2), "\(took)")
        let second = try await ServerUnderTest.with(
            observe: {
                try await Task.sleep(for: .seconds(20))
                throw AgentServerError("late")
            }
        ) { server in
            let client = try RawClient(server.address)
            await client.send("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
            try await Task.sleep(for: .milliseconds(100))
            await clients.keep(client)
        }
        #expect(second < .seconds(2), "\(second)")
    }

    /// A connection that arrives while the server ends is closed. swift-nio would end the process if it were dropped.
    @Test func clientsMayConnectWhileTheServerEnds() async throws {
        for _ in 0..<10 {
            let hasEnded = Locked(false)
            defer { hasEnded.withLock { $0 = true } }
            let clients = Locked<[Task<Int, Never>]>([])
            try await ServerUnderTest.with { server in
                let address = server.address
                let (connections, connected) = AsyncStream<Void>.makeStream()
                for _ in 0..<2 {
                    let client = Task {
                        await Self.connect(to: address, until: hasEnded) { connected.yield() }
                    }
                    clients.withLock { $0.append(client) }
                }
                for await _ in connections { break }
            }
            hasEnded.withLock { $0 = true }
            for client in clients.withLock(\.self) {
                let refusals = await client.value
                #expect(refusals > 0, "the server has ended")
            }
        }
    }

    /// Connects again and again, on a thread of its own, and for the last time when it was told to stop.
    ///
    /// - Returns: how often it was refused.
    private static func connect(
        to address: AgentServer.Address, until hasEnded: Locked<Bool>, onSuccess: @escaping @Sendable () -> Void
    ) async -> Int {
        await withCheckedContinuation { continuation in
            DispatchQueue(label: "client").async {
                var refusals = 0
                var isLast = false
                while !isLast {
                    isLast = hasEnded.withLock(\.self)
                    if (try? RawClient(address)) != nil { onSuccess() } else { refusals += 1 }
                }
                continuation.resume(returning: refusals)
            }
        }
    }

    private actor Clients {
        private var clients: [RawClient] = []
        func keep(_ client: RawClient) { clients.append(client) }
    }
}
