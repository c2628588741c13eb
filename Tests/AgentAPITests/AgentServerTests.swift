import FakeKernel
import IPVSKit
import Logging
import MeshKit
import Netlink
import SystemPackage
import TestSupport
import Testing

@testable import AgentAPI

#if canImport(Glibc)
    import Glibc
#endif

/// What a server answers.
@Suite(.serialized, .timeLimit(.minutes(1))) struct AgentServerTests {
    private func pass(error: String? = nil) -> PassRecord {
        PassRecord(cause: "start", isRepair: false, duration: .milliseconds(5), steps: 2, error: error, end: .now)
    }

    @Test func theSocketAnswersEverything() async throws {
        try await ServerUnderTest.with { server in
            let status = try await server.ask("/v1/status")
            #expect(status.status == 200 && status.body == "{\"drift\":0}\n")
            #expect(status.head.contains("Content-Type: application/json"), "\(status.head)")
            #expect(try await server.ask("/v1/plan").body == "{\"changes\":[]}\n")
            let metrics = try await server.ask("/metrics")
            #expect(metrics.head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8"), "\(metrics.head)")
            #expect(metrics.body.contains("\nmeshctl_observed 1\n"))
            try await server.expectAnswer()
        }
    }

    @Test func readinessFollowsThePasses() async throws {
        try await ServerUnderTest.with { server in
            let before = try await server.ask("/readyz")
            #expect(before.status == 503 && before.body == "The first pass has not ended yet.\n")
            server.information.add(pass())
            #expect(try await server.ask("/readyz").status == 200)
            server.information.add(pass(error: "mesh.json is damaged"))
            let after = try await server.ask("/readyz")
            #expect(after.status == 503 && after.body == "The last pass failed: mesh.json is damaged\n")
            let health = try await server.ask("/healthz")
            #expect(health.status == 200 && health.body.contains("failed"), "a pass that failed has ended")
            #expect(try await server.ask("/metrics").body.contains("meshctl_ready 0\n"))
        }
    }

    /// Whoever may connect to the address of the metrics is told nothing else.
    @Test(arguments: ["127.0.0.1:0", "[::1]:0"]) func theAddressOfTheMetricsAnswersMonitoringOnly(text: String)
        async throws
    {
        let address = try #require(MetricsAddress(text))
        try await ServerUnderTest.with(at: .tcp(address)) { server in
            #expect(server.address != .tcp(address), "the kernel has chosen a port")
            for path in ["/metrics", "/healthz"] {
                let status = try await server.ask(path).status
                #expect(status == 200)
            }
            for path in ["/v1/status", "/v1/plan", "/v1/events"] {
                let answer = try await server.ask(path)
                #expect(answer.status == 404 && answer.body.hasPrefix(#"{"error":""#), "\(answer)")
            }
        }
    }

    @Test func aMeshThatCannotBeObservedIsAnError() async throws {
        try await ServerUnderTest.with(observe: { throw AgentServerError("mesh.json is \"damaged\"") }) { server in
            server.information.add(pass())
            let status = try await server.ask("/v1/status")
            #expect(status.status == 503 && status.body == #"{"error":"mesh.json is \"damaged\""}"# + "\n")
            let metrics = try await server.ask("/metrics")
            #expect(metrics.status == 200 && metrics.body.contains("\nmeshctl_observed 0\n"))
            #expect(metrics.body.contains("meshctl_pass_steps_total 2\n"), "what the passes did is known")
        }
    }

    /// However many ask, the mesh is observed once.
    @Test func questionsShareAnObservation() async throws {
        try await ServerUnderTest.with { server in
            try await withThrowingTaskGroup(of: Int.self) { tasks in
                for index in 0..<60 {
                    tasks.addTask { try await server.ask(index.isMultiple(of: 2) ? "/metrics" : "/v1/status").status }
                }
                for try await status in tasks { #expect(status == 200) }
            }
            #expect(server.observations.withLock(\.self) <= 2)
        }
    }

    @Test func anObservationDoesNotStayForEver() async throws {
        let count = Counter()
        let lasting = Recent(for: .seconds(3600)) { await count.next() }
        let (first, second) = (
            try await lasting.value(within: .seconds(30)), try await lasting.value(within: .seconds(30))
        )
        #expect(first == 1 && second == 1)
        let fleeting = Recent(for: .milliseconds(1)) { await count.next() }
        let third = try await fleeting.value(within: .seconds(30))
        try await Task.sleep(for: .milliseconds(10))
        let fourth = try await fleeting.value(within: .seconds(30))
        #expect(third == 2 && fourth == 3)
    }

    /// What the passes do is told also while something keeps the mesh from being observed.
    @Test func metricsDoNotWaitForEver() async throws {
        let information = AgentInformation(
            metricsLimit: .milliseconds(50), identity: { "" },
            observe: {
                try await Task.sleep(for: .seconds(3600))
                throw AgentServerError("never")
            }, status: { _ in "" }, plan: { "" }, changes: MeshChanges(.telling),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let metrics = await information.metrics().prometheusText
        #expect(metrics.contains("meshctl_observed 0\n") && metrics.contains("meshctl_ready 0\n"))
    }

    /// Metrics do not say why the mesh is not observed, so the log does, once for each reason.
    @Test func whyTheMeshIsNotObservedIsLogged() async {
        let reason = Locked<String?>(nil)
        let lines = Locked<[String]>([])
        let node = FakeNode()
        let information = AgentInformation(
            lifetime: .zero, identity: { "" },
            observe: {
                if let reason = reason.withLock(\.self) { throw AgentServerError(reason) }
                return try await node.mesh().observe()
            }, status: { _ in "" }, plan: { "" }, changes: MeshChanges(.telling),
            logger: RecordingLog.logger(to: lines))
        let reasons: [String?] = [nil, "the file is damaged", "the file is damaged", "no memory is left", nil, nil]
        for next in reasons {
            reason.withLock { $0 = next }
            _ = await information.metrics()
        }
        #expect(
            lines.withLock(\.self) == [
                "warning the metrics lack what is observed of the mesh: the file is damaged",
                "warning the metrics lack what is observed of the mesh: no memory is left",
                "notice the metrics have what is observed of the mesh again",
            ])
    }

    private actor Counter {
        private var count = 0
        func next() -> Int {
            count += 1
            return count
        }
    }

    // MARK: The socket

    @Test func onlyTheOwnerMayUseTheSocket() async throws {
        try await TemporaryDirectory.with { directory in
            let folder = directory.appending("meshctl")
            let path = folder.appending("agent.sock")
            try await ServerUnderTest.with(at: .socket(path)) { server in
                try await server.expectAnswer()
                #expect(try await Shell.check("stat", "-c", "%a %F", path.string) == "600 socket\n")
                #expect(try await Shell.check("stat", "-c", "%a", folder.string) == "700\n")
                #expect(try await Shell.check("ls", "-A", folder.string) == "agent.sock\n", "nothing else is left")
            }
            #expect(try await Shell.check("ls", "-A", folder.string) == "")
        }
    }

    @Test func aSocketInUseStaysAndAStaleOneIsReplaced() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory.appending("agent.sock")
            try await ServerUnderTest.with(at: .socket(path)) { server in
                let error = await #expect(throws: AgentServerError.self) {
                    try await ServerUnderTest.with(at: .socket(path)) { _ in }
                }
                #expect(error?.description.contains("another agent answers at \(path)") == true, "\(error as Any)")
                try await server.expectAnswer()
            }
            // The socket of a process that was killed.
            try await FakeEngine.with(in: directory, named: "agent.sock", reply: { _ in .silence }) { _ in }
            #expect(try await Shell.check("stat", "-c", "%F", path.string) == "socket\n")
            try await ServerUnderTest.with(at: .socket(path)) { server in
                try await server.expectAnswer()
            }
        }
    }

    /// A server that ends takes its own socket away, and not one that has its name by now.
    @Test func aSocketIsRemovedByItsOwner() async throws {
        try await TemporaryDirectory.with { directory in
            let path = directory.appending("agent.sock")
            try await ServerUnderTest.with(at: .socket(path)) { _ in
                try await Shell.check("mv", path.string, directory.appending("old").string)
                try path.write("another")
            }
            #expect(try path.text() == "another")
        }
    }

    /// A name alone is one in the working directory.
    @Test func theFolderOfASocket() {
        for (path, folder) in [
            ("rel.sock", "."), ("./rel.sock", "."), ("a/rel.sock", "a"), ("/rel.sock", "/"), ("/run/a.sock", "/run"),
        ] as [(FilePath, FilePath)] {
            #expect(SocketFile.folder(of: path) == folder, "\(path)")
        }
    }

    @Test func whatCannotBeListenedAtIsAnError() async throws {
        try await TemporaryDirectory.with { directory in
            let file = directory.appending("file")
            try file.write("precious")
            let long = directory.appending(String(repeating: "x", count: 120))
            for (path, words) in [
                (file, "is no socket: remove it"), (file.appending("agent.sock"), "cannot make the socket"),
                (directory.appending("a/b/agent.sock"), "No such file or directory"), (long, "File name too long"),
            ] {
                let error = await #expect(throws: AgentServerError.self) {
                    try await ServerUnderTest.with(at: .socket(path)) { _ in }
                }
                #expect(error?.description.contains(words) == true, "\(error as Any)")
            }
            #expect(try file.text() == "precious")
            #expect(try await Shell.check("ls", "-A", directory.string) == "file\n")
        }
        try await ServerUnderTest.with(at: .tcp(MetricsAddress("127.0.0.1", port: 0))) { server in
            let error = await #expect(throws: AgentServerError.self) {
                try await ServerUnderTest.with(at: server.address) { _ in }
            }
            #expect(error?.description.contains("Address already in use; `ss -ltnp`") == true, "\(error as Any)")
        }
    }

    @Test func addressesOfMetrics() {
        #expect(MetricsAddress("127.0.0.1:9809") == MetricsAddress("127.0.0.1", port: 9809))
        #expect(MetricsAddress("[::1]:9809") == MetricsAddress("::1", port: 9809))
        #expect(MetricsAddress("[::1]:9809")?.description == "[::1]:9809")
        for text in [
            "", "9809", ":9809", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "::1:9809", "[127.0.0.1]:1", "host:1",
        ] {
            #expect(MetricsAddress(text) == nil, "\(text)")
        }
    }
}
