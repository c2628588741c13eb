import Logging
import Testing

@testable import AgentAPI

/// The agent's log as a stream of events.
@Suite(.serialized, .timeLimit(.minutes(1))) struct EventTests {
    private func event(_ number: Int, _ padding: String = "") -> AgentEvent {
        AgentEvent(time: "2026-11-29T16:55:03.120Z", level: "info", message: "\(number)\(padding)")
    }

    /// A client that has read the head of the answer.
    private func listen(_ server: ServerUnderTest) async throws -> RawClient {
        let client = try RawClient(server.address)
        await client.send("GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        let head = await client.read { $0.contains("\r\n\r\n") }.text
        #expect(head.contains(" 200 OK") && head.contains("Content-Type: application/jsonl"), "\(head)")
        try await until("the subscription") { server.information.events.count > 0 }
        return client
    }

    private func until(_ what: String, _ condition: () -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(10)
        while !condition() {
            guard ContinuousClock.now < end else {
                Issue.record("\(what) did not come true")
                return
            }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    @Test func aLineOfTheLogIsAnEvent() async throws {
        try await ServerUnderTest.with { server in
            let client = try await listen(server)
            let hub = server.information.events
            var logger = Logger(label: "test") { _ in EventLog(to: hub, level: .info) { "2026-11-29T16:55:03.120Z" } }
            logger[metadataKey: "node"] = "n1"
            logger.debug("hidden")
            logger.warning("a \"b\"\nc", metadata: ["because": "x/y", "n": "2"])
            let line = await client.read { $0.contains("}\n") }.text
            #expect(
                line.contains(
                    #"{"fields":{"because":"x/y","n":"2","node":"n1"},"level":"warning","message":"a \"b\"\nc","time":"2026-11-29T16:55:03.120Z"}"#
                        + "\n"), "\(line)")
        }
    }

    @Test func aListenerThatLeavesIsForgotten() async throws {
        try await ServerUnderTest.with { server in
            do {
                let client = try await listen(server)
                withExtendedLifetime(client) {}
            }
            try await until("the end of the subscription") { server.information.events.count == 0 }
        }
    }

    /// Whoever does not read loses events and is told how many; whoever posts them does not wait.
    @Test func aSlowReaderLosesEvents() async throws {
        try await ServerUnderTest.with { server in
            let client = try await listen(server)
            let padding = String(repeating: ".", count: 500)
            let start = ContinuousClock.now
            for number in 1...5000 { server.information.events.post(event(number, padding)) }
            #expect(.now - start < .seconds(5))
            try await Task.sleep(for: .milliseconds(200))
            server.information.events.post(event(5001, "."))
            let text = await client.read { $0.contains("5001.") }.text
            let lost = text.matches(of: /\{"lost":"(\d+)"\}/).compactMap { Int($0.output.1) }.reduce(0, +)
            let read = text.matches(of: /"message":"\d+\./).count
            #expect(lost > 0 && lost + read == 5001, "\(lost) lost, \(read) read")
        }
    }

    @Test func aSubscriptionKeepsTheNewest() async throws {
        let hub = EventHub()
        await hub.withSubscription(capacity: 4) { subscription in
            for number in 1...7 { hub.post(event(number)) }
            let events = await subscription.next() ?? []
            #expect(events.map(\.message) == ["events were lost because they were not read in time", "5", "6", "7"])
            #expect(events.first?.fields == ["lost": "4"])
            hub.post(event(8))
            subscription.end()
            #expect(await subscription.next() == [event(8)])
            #expect(await subscription.next() == nil)
        }
        #expect(hub.count == 0)
    }

    /// The stream ends as a stream ends, and the agent does not wait for it.
    @Test func anOpenStreamDoesNotKeepTheServer() async throws {
        let open = Client()
        var limits = AgentServer.Limits()
        limits.farewell = .seconds(30)
        let took = try await ServerUnderTest.with(limits: limits) { await open.set(try await listen($0)) }
        #expect(took < .seconds(10), "\(took)")
        let (text, hasEnded) = await open.client!.read()
        #expect(text == "0\r\n\r\n" && hasEnded, "\(text.debugDescription)")
    }

    private actor Client {
        var client: RawClient?
        func set(_ client: RawClient) { self.client = client }
    }
}
