import Netlink
import TestSupport
import Testing

@testable import AgentAPI
@testable import MeshKit
@testable import meshctl

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What clients change through the agent.
@Suite(.serialized, .timeLimit(.minutes(1))) struct MeshChangesTests {
    @Test func aChangeIsMadeAsTheQuerySays() async throws {
        try await ServerUnderTest.with { server in
            func ask(_ path: String, _ body: String? = nil) async throws -> MeshChanges.Work.Told {
                let answer = try await server.ask(path, method: "POST", body: body)
                #expect(answer.status == 200 && answer.head.contains("Content-Type: application/json"), "\(answer)")
                return try JSONDecoder().decode(MeshChanges.Work.Told.self, from: Data(answer.body.utf8))
            }
            let all = try await ask(
                "/v1/apply?prune=true&force&now=true&dry-run=false&name=a%20b%2Fc%3F.yaml", "services: {}")
            #expect(all.flags == ["force", "now", "prune"] && all.body == "services: {}" && all.path == "/v1/apply")
            #expect(all.texts == ["name": "a b/c?.yaml"])
            let none = try await ask("/v1/apply", "")
            #expect(none.flags.isEmpty && none.texts.isEmpty)
            #expect(try await ask("/v1/reconcile?retry").flags == ["retry"])
            #expect(try await ask("/v1/task/attach", "{}").path == "/v1/task/attach")
            #expect(try await server.ask("/v1/mesh").body == #"{"generation":7}"# + "\n")
        }
    }

    /// Whoever misspells an option is told, since what was asked for would be left undone.
    @Test(
        arguments: [
            ("prun=true", "there is no parameter \\\"prun\\\"; there are dry-run, force, name, now, prune"),
            ("prune=1", "prune is \\\"1\\\": write true or false"), ("retry=true", "there is no parameter"),
            ("%00", "there is no parameter"), ("prune=true&prune=false", "\\\"prune\\\" is written twice"),
        ]) func anUnknownQueryIsRefused(query: String, reason: String) async throws
    {
        try await ServerUnderTest.with { server in
            let answer = try await server.ask("/v1/apply?\(query)", method: "POST", body: "services: {}")
            #expect(answer.status == 400 && answer.body.contains(reason), "\(answer)")
        }
    }

    /// A mistake of the client and a failure of this node have statuses of their own, and tell a command how to end.
    @Test func aChangeThatFailsSaysWhy() async throws {
        let work = MeshChanges.Work.making(export: { throw AgentServerError("mesh.json is damaged") }) { path, _ in
            switch path {
            case "/v1/apply": throw InputError(faults: ["the file:1:1: a", "the file:2:1: b"])
            case "/v1/publish": throw NotPermitted()
            case "/v1/unpublish": throw InputError("1080/tcp is not published")
            default: throw AgentServerError("the kernel refused")
            }
        }
        try await ServerUnderTest.with(work: work) { server in
            let faults = try await server.ask("/v1/apply", method: "POST", body: "x")
            #expect(
                faults.status == 400
                    && faults.body
                        == #"{"error":"the file:1:1: a\nthe file:2:1: b","exitStatus":65,"faults":["the file:1:1: a","the file:2:1: b"]}"#
                        + "\n",
                "\(faults)")
            let mistake = try await server.ask("/v1/unpublish", method: "POST", body: "{}")
            #expect(
                mistake.status == 400
                    && mistake.body == #"{"error":"1080/tcp is not published","exitStatus":65}"# + "\n", "\(mistake)")
            let failure = try await server.ask("/v1/reconcile", method: "POST")
            #expect(failure.status == 500 && failure.body == #"{"error":"the kernel refused","exitStatus":1}"# + "\n")
            let refusal = try await server.ask("/v1/publish", method: "POST", body: "{}")
            #expect(refusal.status == 500 && refusal.body.contains(#""exitStatus":77"#), "\(refusal)")
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
            try await server.expectAnswer()
        }
    }

    @Test func aLargeBodyIsTaken() async throws {
        try await ServerUnderTest.with { server in
            let large = String(repeating: "x", count: 8 << 20)
            let taken = try await server.ask("/v1/apply", method: "POST", body: large)
            #expect(taken.status == 200 && taken.body.utf8.count > 8 << 20, "\(taken.status) \(taken.head)")
            try await server.expectAnswer()
        }
    }

    /// Changes are made one after the other; and one that has begun ends before the server does, and its client is told.
    @Test func aServerEndsAfterTheChangeThatHasBegun() async throws {
        let (running, most) = (Locked(0), Locked(0))
        let work = MeshChanges.Work.making { _, _ in
            let count = running.withLock { count in
                count += 1
                return count
            }
            most.withLock { $0 = max($0, count) }
            // What has begun in the kernel is not cancelled.
            await Task { try? await Task.sleep(for: .milliseconds(400)) }.value
            running.withLock { $0 -= 1 }
            return "{}"
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
            #expect(!body.contains("exitStatus"), "a command does it itself")
        }
        #expect(statuses.sorted() == [200, 503, 503], "one was made, and those behind it were not")
    }

    /// A change that cannot begin, since somebody else works on the mesh, is given up, and the next one has its turn; one that
    /// only asks what would change waits for nobody.
    @Test func aChangeDoesNotWaitForEver() async throws {
        let work = MeshChanges.Work.making { path, request in
            if path == "/v1/apply", request.flags.isEmpty { try await Task.sleep(for: .seconds(3600)) }
            return "{}"
        }
        let changes = MeshChanges(work, within: .milliseconds(300))
        let offered = Dictionary(uniqueKeysWithValues: changes.offered.map { ($0.path, $0) })
        let (apply, reconcile) = (try #require(offered["/v1/apply"]), try #require(offered["/v1/reconcile"]))
        let first = Task { try await changes.make(apply, ChangeRequest()) }
        while await changes.unfinished == 0 { try await Task.sleep(for: .milliseconds(5)) }
        let second = Task { try await changes.make(reconcile, ChangeRequest()) }
        #expect(try await changes.make(apply, ChangeRequest(flags: ["dry-run"])) == "{}")
        let refusal = await #expect(throws: Refusal.self) { try await first.value }
        #expect(refusal?.failure.error.contains("perhaps another meshctl works on the same state") == true)
        #expect(refusal?.failure.exitStatus == 1, "a command says so")
        #expect(try await second.value == "{}")
        #expect(await changes.unfinished == 0)
    }
}
