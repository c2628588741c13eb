import Netlink
import SystemPackage
import TestSupport
import Testing

@testable import AgentAPI

/// Clients that are no tests: those of docs/agent.md, and `meshctl events`.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ExampleTests {
    private static let status = """
        {"drift":0,"ports":[{"activeConnections":2,"port":1080,"service":"nginx"}],"retiring":[]}
        """
    private let event = AgentEvent(
        time: "2026-11-29T16:55:03.120Z", level: "info", message: "hello\u{202E}",
        fields: ["because": "a b", "part": "x"])

    /// What docs/agent.md has between two texts, for another socket.
    private func snippet(from start: String, to end: String, at address: AgentServer.Address) throws -> String {
        let text = try FilePath(#filePath).repository.appending("docs/agent.md").text()
        let begin = try #require(text.firstRange(of: start)).upperBound
        let snippet = text[begin...].prefix(upTo: try #require(text[begin...].firstRange(of: end)).lowerBound)
        let path = "/run/meshctl/agent.sock"
        #expect(snippet.contains(path))
        return String(snippet).replacing(path, with: "\(address)")
    }

    /// Runs a program that follows the events, posts one when it listens, and then ends the server.
    private func follow(_ command: (AgentServer.Address) throws -> [String]) async throws -> Ran {
        let running = Locked<Task<Ran, any Error>?>(nil)
        let work = MeshChanges.Work.making { path, request in
            #expect(path == "/v1/publish" && request.body == #"{"service": "web", "ports": ["8080:80"]}"#)
            return #"{"changed": true}"#
        }
        try await ServerUnderTest.with(status: { _ in Self.status }, work: work) { server in
            let command = try command(server.address)
            let program = Task { try await Shell.run(command) }
            running.withLock { $0 = program }
            let end = ContinuousClock.now + .seconds(30)
            while server.information.events.count == 0, .now < end { try await Task.sleep(for: .milliseconds(5)) }
            server.information.events.post(event)
        }
        return try await #require(running.withLock(\.self)).value
    }

    @Test func theExampleOfCurl() async throws {
        try await ServerUnderTest.with(status: { _ in Self.status }) { server in
            let line = try snippet(from: "```console\n# curl", to: "\n", at: server.address)
            let answer = try await Shell.check("sh", "-c", "curl" + line)
            #expect(answer == Self.status + "\n")
        }
    }

    @Test func theExampleInPython() async throws {
        let ran = try await follow { ["python3", "-c", try snippet(from: "```python\n", to: "```", at: $0)] }
        #expect(
            ran.status == 0
                && ran.output == "nginx 1080 2\nTrue\ninfo hello\u{202E} {'because': 'a b', 'part': 'x'}\n", "\(ran)")
    }

    @Test func eventsAsLinesOfTheLog() async throws {
        let ran = try await follow { [try BuiltProducts.path("meshctl"), "events", "--socket", "\($0)"] }
        #expect(ran.output == "2026-11-29T16:55:03.120Z info hello\\u{202E} because=\"a b\" part=x\n", "\(ran)")
        #expect(ran.status == 69 && ran.error.hasSuffix("has ended\n"), "\(ran)")
    }

    @Test func eventsAsJSON() async throws {
        let ran = try await follow {
            [try BuiltProducts.path("meshctl"), "events", "--format", "json", "--socket", "\($0)"]
        }
        #expect(
            ran.output
                == #"{"fields":{"because":"a b","part":"x"},"level":"info","message":"hello\u202e","time":"2026-11-29T16:55:03.120Z"}"#
                + "\n", "\(ran)")
    }

    @Test func eventsWithoutAnAgent() async throws {
        let meshctl = try BuiltProducts.path("meshctl")
        try await TemporaryDirectory.with { directory in
            let absent = try await Shell.run([meshctl, "events", "--state-dir", directory.string])
            #expect(absent.status == 69, "\(absent)")
            #expect(
                absent.error.hasPrefix("meshctl: no agent answers at \(directory)/agent.sock: start one"), "\(absent)")
            try await FakeEngine.with(in: directory, named: "agent.sock", reply: { _ in .json("{}\n") }) { engine in
                let other = try await Shell.run([meshctl, "events", "--socket", engine.path.string])
                #expect(other.status == 1 && other.error.contains("does not answer as an agent does"), "\(other)")
            }
            let unset = try await Shell.run([meshctl, "events", "--socket", ""])
            #expect(unset.status == 64 && unset.error.contains("--socket is empty"), "\(unset)")
            let host = try await Shell.run([meshctl, "agent", "--metrics", "localhost:9809"])
            #expect(host.status == 64 && host.error.contains("--metrics is \"localhost:9809\""), "\(host)")
        }
    }
}
