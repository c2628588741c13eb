import MeshKit
import SystemPackage
import TestSupport
import Testing

@testable import Containers

/// What is asked of an engine, and what becomes of engines that do not answer well.
@Suite struct ContainerEngineTests {
    private func expectFailure<Failure: Error>(
        _ type: Failure.Type, _ words: String..., at sockets: [FilePath], container: String = "web1",
        deadline: Duration = .seconds(10), sourceLocation: SourceLocation = #_sourceLocation
    ) async -> Failure? {
        var engine = ContainerEngine(sockets: sockets)
        engine.deadline = deadline
        let asked = engine
        let error = await #expect(throws: type, sourceLocation: sourceLocation) { try await asked.container(container) }
        for words in words {
            #expect(
                error.map { "\($0)".contains(words) } == true, "\(String(describing: error))",
                sourceLocation: sourceLocation)
        }
        return error
    }

    @Test func aContainerByItsName() async throws {
        try await TemporaryDirectory.with { directory in
            try await FakeEngine.with(in: directory, reply: { _ in .container("web1", process: 4211) }) { engine in
                let found = try await ContainerEngine(sockets: [engine.path]).container("4f6a0c9")
                #expect(found == Container(name: "web1", process: 4211), "by the name that the engine knows")
                #expect(found.namespace == "/proc/4211/ns/net")
                #expect(engine.requests == ["GET /containers/4f6a0c9/json HTTP/1.1"])
            }
        }
    }

    @Test func theNextEngineIsAsked() async throws {
        try await TemporaryDirectory.with { directory in
            try await FakeEngine.with(in: directory, named: "a.sock", reply: { _ in .unknown("web1") }) { docker in
                try await FakeEngine.with(
                    in: directory, named: "b.sock", reply: { _ in .container("web1", process: 7) }
                ) {
                    podman in
                    for first in [docker.path, directory.appending("none.sock")] {
                        let found = try await ContainerEngine(sockets: [first, podman.path]).container("web1")
                        #expect(found.process == 7)
                    }
                }
                _ = await expectFailure(
                    InputError.self, "there is no container web1 at \(docker.path); `docker ps`",
                    at: [docker.path, directory.appending("none.sock")])
                try await FakeEngine.with(in: directory, named: "c.sock", reply: { _ in .json("{}", status: "500 No") })
                {
                    broken in
                    _ = await expectFailure(
                        InputError.self, "no container web1 at \(docker.path); ", "status 500",
                        at: [docker.path, broken.path])
                }
            }
        }
    }

    @Test func aContainerThatDoesNotRun() async throws {
        try await TemporaryDirectory.with { directory in
            for (name, reply) in [
                ("a", .container("web1", process: 0, isRunning: false)), ("b", .container("web1", process: 0)),
            ] as [(String, FakeEngine.Reply)] {
                try await FakeEngine.with(in: directory, named: name, reply: { _ in reply }) { engine in
                    _ = await expectFailure(
                        InputError.self, "container web1 is not running: start it", at: [engine.path])
                }
            }
        }
    }

    @Test(
        arguments: [
            (.text(""), "ended the connection too early"), (.text("nonsense\r\n\r\n"), "is no HTTP"),
            (.text("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), "ended the connection too early"),
            (.half("HTTP/1.1 200 OK\r\n"), "ended the connection too early"),
            (.half(""), "ended the connection too early"),
            (.json("{}"), "gives no description"), (.json("[]"), "gives no description"),
            (.json("null"), "gives no description"),
            (.text("HTTP/1.1 200 OK\r\n\r\n\u{0}\u{1}"), "gives no description"),
            (.json(#"{"Name":"/web1","State":{"Running":true,"Pid":99999999999}}"#), "gives no description"),
            (.json(#"{"message":"the daemon is ill"}"#, status: "500 Internal Server Error"), "500: the daemon is ill"),
            (.text("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\npage"), "404, and is perhaps no engine"),
            (.json(#"{"message":"moved"}"#, status: "301 Moved Permanently"), "301: moved"),
        ] as [(FakeEngine.Reply, String)])
    func answersThatMakeNoSense(reply: FakeEngine.Reply, words: String) async throws {
        try await TemporaryDirectory.with { directory in
            try await FakeEngine.with(in: directory, reply: { _ in reply }) { engine in
                let error = await expectFailure(ContainerError.self, "\(engine.path) ", words, at: [engine.path])
                #expect(error?.code == .failed)
            }
        }
    }

    /// The name that an engine gives is recorded and printed.
    @Test func aNameThatIsNone() async throws {
        try await TemporaryDirectory.with { directory in
            let reply = FakeEngine.Reply.json(#"{"Name":"/a\u001b[2Jb","State":{"Running":true,"Pid":7}}"#)
            try await FakeEngine.with(in: directory, reply: { _ in reply }) { engine in
                _ = await expectFailure(InputError.self, #"is no name of a container"#, at: [engine.path])
            }
        }
        for name in ["", "../version", "web 1", "web/1", "-web", "wéb", "web?x=1", String(repeating: "a", count: 256)] {
            _ = await expectFailure(InputError.self, "is no name of a container", at: [], container: name)
        }
    }

    /// Nobody keeps a command for longer than the deadline.
    @Test func serversThatKeepTheirClients() async throws {
        try await TemporaryDirectory.with { directory in
            for (name, reply) in [
                ("a", .silence), ("b", .slowly("HTTP/1.1 200 OK\r\n" + String(repeating: "A: b\r\n", count: 1000))),
            ] as [(String, FakeEngine.Reply)] {
                try await FakeEngine.with(in: directory, named: name, reply: { _ in reply }) { engine in
                    let error = await expectFailure(
                        ContainerError.self, "\(engine.path) did not answer in time", at: [engine.path],
                        deadline: .milliseconds(300))
                    #expect(error?.code == .failed)
                }
            }
            try await FakeEngine.withoutAcceptance(in: directory) { path in
                let error = await expectFailure(
                    ContainerError.self, "\(path) did not answer in time", at: [path], deadline: .milliseconds(300))
                #expect(error?.code == .failed)
            }
        }
    }

    @Test func socketsThatAreNone() async throws {
        try await TemporaryDirectory.with { directory in
            let none = directory.appending("none.sock")
            var error = await expectFailure(
                ContainerError.self, "there is no socket \(none): start Docker or Podman's socket", at: [none])
            #expect(error?.code == .unavailable)
            let file = directory.appending("file")
            try file.write("")
            error = await expectFailure(ContainerError.self, "nobody listens at \(file)", at: [file])
            #expect(error?.code == .unavailable)
            error = await expectFailure(
                ContainerError.self, "no socket \(none)", "nobody listens at \(file)", at: [none, file])
            #expect(error?.code == .unavailable)
            error = await expectFailure(ContainerError.self, "no socket", at: [file.appending("docker.sock")])
            let long = directory.appending(String(repeating: "a", count: 120))
            error = await expectFailure(ContainerError.self, "cannot be connected to: File name too long", at: [long])
            #expect(error?.code == .failed)
        }
        let refused = ContainerError(Errno.permissionDenied, at: "/var/run/docker.sock")
        #expect(refused.code == .notPermitted && refused.description.contains("run meshctl as root"))
    }
}
