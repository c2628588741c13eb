import IPVSKit
import MeshKit
import RuleKit
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Containers

/// Engines that end, hang or make no sense.
extension ContainerSourceTests {
    /// The engine is started anew: what was found last holds until it answers, and then what it has counts.
    @Test func anEngineThatEndsAndComesBack() async throws {
        let scene = Scene()
        try await scene.run(["a": Described(name: "web1"), "b": Described(name: "web2")]) { engine in
            scene.other.withLock { $0 = { _ in .text("") } }
            engine.endStreams()
            try await scene.until("word of it") {
                if case .unreachable = scene.last { true } else { false }
            }
            scene.containers.withLock { $0["a"] = nil }
            scene.other.withLock { $0 = nil }
            try await scene.until("the other container") { scene.names == ["web2"] }
        }
    }

    @Test(
        arguments: [
            ("/events", .text("garbage"), "no HTTP"),
            ("/events", .json(#"{"message":"ill"}"#, status: "500 No"), "500"),
            ("/events", .silence, "in time"), ("/containers/json", .silence, "in time"),
            ("/containers/json", .json("{}"), "no list of containers"),
            ("/networks", .json("3"), "no list of networks"),
            ("/containers/json", .text(""), "too early"),
            ("/events", .text("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\ngarbage\n"), "sends no events"),
        ] as [(String, FakeEngine.Reply, String)])
    func anEngineThatMakesNoSense(target: String, reply: FakeEngine.Reply, words: String) async throws {
        let scene = Scene()
        scene.other.withLock { $0 = { line in line.contains(" \(target)") ? reply : nil } }
        try await scene.run(["a": Described(name: "web1")]) { _ in
            try await scene.until("\(words)") {
                if case .unreachable(let reason) = scene.last { reason.contains(words) } else { false }
            }
            scene.other.withLock { $0 = nil }
            try await scene.until("the container") { scene.names == ["web1"] }
        }
    }

    /// One container that the engine does not describe leaves the others alone, and what was known of it holds.
    @Test(
        arguments: [
            (.silence, "did not answer in time"), (.json("[]"), "gives no description"),
            (.json(#"{"message":"ill"}"#, status: "500 No"), "status 500: ill"),
            (.text("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), "too early"),
        ] as [(FakeEngine.Reply, String)])
    func aContainerThatIsNotDescribed(reply: FakeEngine.Reply, words: String) async throws {
        let scene = Scene()
        try await scene.run(["a": Described(name: "web1"), "b": Described(name: "web2")], resync: .milliseconds(100)) {
            engine in
            scene.other.withLock { $0 = { line in line.contains("/containers/a/json") ? reply : nil } }
            try await scene.until("the fault") {
                guard case .tasks(let tasks) = scene.last else { return false }
                return tasks.flatMap(\.faults).contains {
                    $0.hasPrefix("container a cannot be looked at, and is left as it was: ") && $0.contains(words)
                }
            }
            #expect(scene.names == ["a", "web1", "web2"])
            scene.containers.withLock { $0["b"] = nil }
            engine.tell(Self.event("die", "b"))
            try await scene.until("the end of the other") { scene.names == ["a", "web1"] }
            scene.other.withLock { $0 = nil }
            try await scene.until("the description") { scene.names == ["web1"] }
        }
    }

    /// However many containers the engine hangs on, another one that ends gets no new connections at once.
    @Test(arguments: ["kill", "die"]) func aContainerThatEndsWhileTheEngineHangsOnOthers(action: String) async throws {
        let scene = Scene()
        try await scene.run(
            ["a": Described(name: "web1"), "b": Described(name: "web2")], resync: .milliseconds(50), look: .seconds(600)
        ) { engine in
            scene.other.withLock { $0 = { line in ["/hung", "/b/"].contains { line.contains($0) } ? .silence : nil } }
            let start = ContinuousClock.now
            for number in 1...17 { engine.tell(Self.event("health_status: unhealthy", "hung\(number)")) }
            engine.tell(Self.event("health_status: unhealthy", "b") + Self.event(action, "a", signal: "15"))
            try await scene.until("the first container being left out") { scene.names == ["web2"] }
            #expect(.now - start < .seconds(100))
        }
    }

    /// The same when the source begins, and when it begins with the engine anew: the list names the container, with its
    /// labels and addresses, so that it stays in the mesh.
    @Test func aContainerThatIsOnlyListed() async throws {
        let scene = Scene()
        let labels = ["meshctl.service": "web", "meshctl.publish": "1080:80"]
        scene.other.withLock { $0 = { line in line.contains("/containers/a/json") ? .silence : nil } }
        try await scene.run(["a": Described(name: "web1", labels: labels)]) { engine in
            func task() throws -> FoundTask {
                guard case .tasks(let tasks) = scene.last else { throw Errno.noData }
                return try #require(tasks.first { $0.name == "web1" })
            }
            let listed = try task()
            #expect(listed.isOnlyListed && listed.services == ["web"] && listed.addresses == ["172.17.0.2"])
            #expect(listed.ports.map(\.target) == [80] && listed.faults.count == 1, "\(listed.faults)")
            scene.other.withLock { $0 = nil }
            engine.tell(Self.event("rename", "a"))
            try await scene.until("the description") { (try? task().isOnlyListed) == false }
            let described = try task()
            scene.other.withLock { $0 = { line in line.contains("/containers/a/json") ? .silence : nil } }
            engine.endStreams()
            try await scene.until("the fault") { scene.names == ["a", "web1"] }
            #expect(try task() == described, "what was known of it holds")
        }
    }

    /// A host without the engine is a fault only if somebody has named the engine.
    @Test func anEngineThatIsNotThere() async throws {
        try await TemporaryDirectory.with { directory in
            for isOptional in [true, false] {
                let reports = Mutex<[SourceReport]>([])
                var source = ContainerSource("docker", at: directory.appending("none.sock"), isOptional: isOptional)
                source.limits.answer = .seconds(120)
                let running = source
                let task = Task { await running.run { report in reports.withLock { $0.append(report) } } }
                while reports.withLock(\.isEmpty) { try await Task.sleep(for: .milliseconds(2)) }
                try await Task.sleep(for: .milliseconds(200))
                task.cancel()
                await task.value
                let isAbsent = reports.withLock(\.self).map { if case .absent = $0 { true } else { false } }
                #expect(isAbsent.allSatisfy { $0 == isOptional })
            }
        }
    }
}
