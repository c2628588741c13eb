import MeshKit
import Netlink
import TestSupport
import Testing

@testable import AgentAPI

/// What clients change through the agent.
@Suite(.serialized, .timeLimit(.minutes(1))) struct MeshChangesTests {
    @Test func aChangeIsMadeAsTheQuerySays() async throws {
        try await ServerUnderTest.with { server in
            let all = try await server.ask(
                "/v1/apply?prune=true&force&now=true&dry-run=false", method: "POST", body: "services: {}")
            #expect(all.status == 200 && all.head.contains("Content-Type: application/json"), "\(all)")
            let options = MeshChanges.Application(prunes: true, forces: true, cuts: true, isDry: false)
            #expect(all.body == JSONLine.text(["file": "services: {}", "options": "\(options)"]) + "\n", "\(all)")
            let none = try await server.ask("/v1/apply", method: "POST", body: "")
            #expect(
                none.body.contains(JSONLine.text(["options": "\(MeshChanges.Application())"]).dropFirst()), "\(none)")
            let pass = try await server.ask("/v1/reconcile?retry", method: "POST")
            #expect(pass.body == #"{"cutting":"false","retry":"true"}"# + "\n", "\(pass)")
            #expect(try await server.ask("/v1/mesh").body == #"{"generation":7}"# + "\n")
        }
    }

    /// Whoever misspells an option is told, since what was asked for would be left undone.
    @Test(
        arguments: [
            ("prun=true", "there is no parameter \\\"prun\\\"; there are dry-run, force, now, prune"),
            ("prune=1", "prune is \\\"1\\\": write true or false"), ("retry=true", "there is no parameter"),
            ("%00", "there is no parameter"), ("prune=true&prune=false", "\\\"prune\\\" is written twice"),
        ]) func anUnknownQueryIsRefused(query: String, reason: String) async throws
    {
        try await ServerUnderTest.with { server in
            let answer = try await server.ask("/v1/apply?\(query)", method: "POST", body: "services: {}")
            #expect(answer.status == 400 && answer.body.contains(reason), "\(answer)")
        }
    }

    /// A mistake of the client and a failure of this node have statuses of their own.
    @Test func aChangeThatFailsSaysWhy() async throws {
        let work = MeshChanges.Work { file, _ in
            throw InputError("the file:1:1: this is no YAML")
        } reconcile: { _, _ in
            throw AgentServerError("the kernel refused")
        } export: {
            throw AgentServerError("mesh.json is damaged")
        }
        try await ServerUnderTest.with(work: work) { server in
            let mistake = try await server.ask("/v1/apply", method: "POST", body: "x")
            #expect(mistake.status == 400 && mistake.body == #"{"error":"the file:1:1: this is no YAML"}"# + "\n")
            let failure = try await server.ask("/v1/reconcile", method: "POST")
            #expect(failure.status == 500 && failure.body == #"{"error":"the kernel refused"}"# + "\n")
            let damage = try await server.ask("/v1/mesh")
            #expect(damage.status == 503 && damage.body == #"{"error":"mesh.json is damaged"}"# + "\n")
        }
    }

    @Test func bodiesThatCannotBeReadAreRefused() async throws {
        var limits = AgentServer.Limits()
        limits.idle = .milliseconds(300)
        try await ServerUnderTest.with(limits: limits) { server in
            let head = "POST /v1/apply HTTP/1.1\r\nHost: x\r\n"
            for (rest, statuses) in [
                ("Content-Length: 16777217\r\n\r\n", [413]),
                ("Content-Length: 99999999999999999999\r\n\r\n", [400, 413]),
                ("Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", [413]),
                // Half of the body comes, and nothing after it: the connection ends, with an answer or without one.
                ("Content-Length: 10\r\n\r\nhello", [0, 408]),
            ] {
                let client = try RawClient(server.address)
                await client.send(head + rest)
                let answer = await client.read()
                #expect(answer.hasEnded && statuses.contains(RawClient.parse(answer.text).status), "\(answer)")
            }
            let large = String(repeating: "x", count: 8 << 20)
            let taken = try await server.ask("/v1/apply", method: "POST", body: large)
            #expect(taken.status == 200 && taken.body.utf8.count > 8 << 20)
            try await server.expectAnswer()
        }
    }

    /// Changes are made one after the other; and one that has begun ends before the server does, and its client is told.
    @Test func aServerEndsAfterTheChangeThatHasBegun() async throws {
        let (running, most) = (Locked(0), Locked(0))
        let work = MeshChanges.Work { _, _ in
            let count = running.withLock { count in
                count += 1
                return count
            }
            most.withLock { $0 = max($0, count) }
            // What has begun in the kernel is not cancelled.
            await Task { try? await Task.sleep(for: .milliseconds(400)) }.value
            running.withLock { $0 -= 1 }
            return "{}"
        } reconcile: { _, _ in
            "{}"
        } export: {
            "{}"
        }
        let answers = Locked<[Task<String, any Error>]>([])
        try await ServerUnderTest.with(work: work) { server in
            for _ in 0..<3 {
                let client = try RawClient(server.address)
                await client.send("POST /v1/apply HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
                answers.withLock { $0.append(Task { await client.read { $0.hasSuffix("}\n") }.text }) }
            }
            let end = ContinuousClock.now + .seconds(10)
            while await server.information.changes.unfinished < 3, .now < end {
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        #expect(running.withLock(\.self) == 0 && most.withLock(\.self) == 1)
        var statuses: [Int] = []
        for answer in answers.withLock(\.self) {
            let (status, _, body) = RawClient.parse(try await answer.value)
            statuses.append(status)
            #expect(status == 200 || body.contains("the agent ends, and nothing was changed"), "\(body)")
        }
        #expect(statuses.sorted() == [200, 503, 503], "one was made, and those behind it were not")
    }

    /// A change that cannot begin, since somebody else works on the mesh, is given up, and the next one has its turn; one that
    /// only asks what would change waits for nobody.
    @Test func aChangeDoesNotWaitForEver() async throws {
        let work = MeshChanges.Work { _, options in
            if !options.isDry { try await Task.sleep(for: .seconds(3600)) }
            return "{}"
        } reconcile: { _, _ in
            "{}"
        } export: {
            "{}"
        }
        let changes = MeshChanges(work, within: .milliseconds(300))
        let first = Task { try await changes.apply("", .init()) }
        while await changes.unfinished == 0 { try await Task.sleep(for: .milliseconds(5)) }
        let second = Task { try await changes.reconcile(retry: false, cutting: false) }
        #expect(try await changes.apply("", .init(isDry: true)) == "{}")
        let refusal = await #expect(throws: Refusal.self) { try await first.value }
        #expect(refusal?.reason.contains("perhaps another meshctl works on the same state") == true)
        #expect(try await second.value == "{}")
        #expect(await changes.unfinished == 0)
    }
}
