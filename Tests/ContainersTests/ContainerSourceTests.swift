import IPVSKit
import MeshKit
import RuleKit
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Containers

/// The source on an engine that says what a test wants.
@Suite(.timeLimit(.minutes(5))) struct ContainerSourceTests {
    /// A container as the engine describes it.
    struct Described: Sendable {
        var name: String
        var process = 4211
        var labels: [String: String] = [:]
        var networks: [String: String] = ["bridge": "172.17.0.2"]
        var health: String?
        var isPaused = false

        private var labelsJSON: String { labels.map { #""\#($0.key)":"\#($0.value)""# }.joined(separator: ",") }
        private var networksJSON: String {
            networks.map {
                #""\#($0.key)":{"NetworkID":"id-\#($0.key)","IPAddress":"\#($0.value)","GlobalIPv6Address":""}"#
            }.joined(separator: ",")
        }

        /// The container in the engine's list, with the name by which another one links to it.
        func listJSON(id: String) -> String {
            """
            {"Id":"\(id)","Names":["/proxy/upstream","/\(name)"],"Labels":{\(labelsJSON)},"State":"running",
            "NetworkSettings":{"Networks":{\(networksJSON)}}}
            """
        }

        func json(id: String) -> String {
            let health = health.map { #","Health":{"Status":"\#($0)","FailingStreak":0}"# } ?? ""
            return """
                {"Id":"\(id)","Name":"/\(name)","State":{"Running":true,"Paused":\(isPaused),"Pid":\(process)\(health)},
                "Config":{"Labels":{\(labelsJSON)},"StopSignal":"SIGQUIT"},
                "NetworkSettings":{"Networks":{\(networksJSON)}}}
                """
        }
    }

    /// The containers that an engine has, and what the source has reported.
    final class Scene: Sendable {
        let containers = Mutex<[String: Described]>([:])
        let reports = Mutex<[SourceReport]>([])
        let other = Mutex<(@Sendable (String) -> FakeEngine.Reply?)?>(nil)

        func reply(_ line: String) -> FakeEngine.Reply {
            if let reply = other.withLock(\.self)?(line) { return reply }
            let target = line.split(separator: " ").dropFirst().first ?? ""
            if target.hasPrefix("/events") { return .stream }
            if target == "/networks" {
                return .json(
                    """
                    [{"Id":"id-bridge","Name":"bridge","Driver":"bridge","Scope":"local"},
                    {"Id":"id-front","Name":"front","Driver":"bridge","Scope":"local"},
                    {"Id":"id-swarm","Name":"swarm","Driver":"overlay","Scope":"swarm"},
                    {"Id":"id-lan","Name":"lan","Driver":"macvlan","Scope":"local"}]
                    """)
            }
            let containers = containers.withLock(\.self)
            if target == "/containers/json" {
                let list = containers.sorted { $0.key < $1.key }.map { $1.listJSON(id: $0) }
                return .json("[\(list.joined(separator: ","))]")
            }
            let id = String(target.split(separator: "/").dropFirst().first ?? "")
            return containers[id].map { .json($0.json(id: id)) } ?? .unknown(id)
        }

        var last: SourceReport? { reports.withLock(\.last) }
        var names: [String]? {
            guard case .tasks(let tasks) = last else { return nil }
            return tasks.map(\.name)
        }

        func until(_ what: String, _ condition: () -> Bool) async throws {
            // Beside tests that compute for many seconds, little happens in between.
            let end = ContinuousClock.now + .seconds(120)
            while !condition() {
                guard ContinuousClock.now < end else {
                    Issue.record("\(what) did not come true: \(reports.withLock(\.self))")
                    return
                }
                try await Task.sleep(for: .milliseconds(2))
            }
        }

        /// Runs the body while the source follows an engine with these containers.
        func run(
            _ containers: [String: Described], resync: Duration = .seconds(60), look: Duration = .milliseconds(300),
            _ body: (FakeEngine) async throws -> Void
        ) async throws {
            self.containers.withLock { $0 = containers }
            try await TemporaryDirectory.with { directory in
                try await FakeEngine.with(in: directory, reply: { [self] in reply($0) }) { engine in
                    var source = ContainerSource("docker", at: engine.path)
                    source.limits.firstRetry = .milliseconds(20)
                    source.limits.answer = .milliseconds(500)
                    source.limits.look = look
                    source.limits.resync = resync
                    let running = source
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask { [self] in
                            await running.run { report in self.reports.withLock { $0.append(report) } }
                        }
                        try await until("the first report") { last != nil }
                        try await body(engine)
                        group.cancelAll()
                    }
                }
            }
        }
    }

    static func event(_ action: String, _ id: String, signal: String? = nil) -> String {
        let attributes = signal.map { #""signal":"\#($0)""# } ?? ""
        return #"{"Type":"container","Action":"\#(action)","Actor":{"ID":"\#(id)","Attributes":{\#(attributes)}}}"#
            + "\n"
    }

    @Test func containersAreFoundAndFollowed() async throws {
        let scene = Scene()
        let web1 = Described(name: "web1", labels: ["meshctl.service": "web", "meshctl.publish": "1080:80"])
        try await scene.run(["a": web1]) { engine in
            guard case .tasks(let tasks) = scene.last, let task = tasks.first else {
                Issue.record("\(String(describing: scene.last))")
                return
            }
            #expect(task.name == "web1" && task.services == ["web"] && task.makesService)
            #expect(task.addresses == ["172.17.0.2"] && task.attachment == nil)
            #expect(task.namespace == "/proc/4211/ns/net")
            #expect(task.ports == [.init(listening: PortBinding(1080, .tcp), target: 80)])

            scene.containers.withLock { $0["b"] = Described(name: "web2", networks: ["bridge": "172.17.0.3"]) }
            engine.tell(Self.event("create", "b") + Self.event("start", "b"))
            try await scene.until("the second container") { scene.names == ["web1", "web2"] }

            // It is told to end, and goes on for a while.
            engine.tell(Self.event("kill", "a", signal: "3"))
            try await scene.until("the first container being left out") { scene.names == ["web2"] }
            engine.tell(Self.event("update", "a"))
            scene.containers.withLock { $0["a"] = nil }
            engine.tell(Self.event("die", "a"))

            scene.containers.withLock { $0["b"]?.health = "unhealthy" }
            engine.tell(Self.event("health_status: unhealthy", "b"))
            try await scene.until("ill health") {
                guard case .tasks(let tasks) = scene.last else { return false }
                return tasks.map(\.isHealthy) == [false]
            }
            scene.containers.withLock { $0["b"]?.isPaused = true }
            engine.tell(Self.event("pause", "b"))
            try await scene.until("a paused container being left out") { scene.names == [] }
            scene.containers.withLock { $0["b"]?.isPaused = false }
            engine.tell(Self.event("unpause", "b"))
            try await scene.until("the container being back") { scene.names == ["web2"] }
        }
    }

    /// The name of a Compose service only means something within its project, and a label means what it says.
    @Test func theProjectOfAContainer() {
        let compose = ["com.docker.compose.project": "shop", "com.docker.compose.service": "web"]
        func task(_ more: [String: String]) -> FoundTask? {
            var book = ContainerBook()
            let labels = compose.merging(more) { $1 }
            let state = ContainerInspection.State(running: true, process: 7)
            book.take(.init(name: "/shop-web-1", state: state, config: .init(labels: labels)), of: "a", at: .now)
            return book.tasks.first
        }
        let plain = task([:])
        #expect(plain?.services == ["web", "shop-web-1"])
        #expect(plain?.project == "shop" && plain?.projectService == "web")
        let labelled = task(["meshctl.service": "web"])
        #expect(labelled?.services == ["web"])
        #expect(labelled?.project == "shop" && labelled?.projectService == nil)
    }

    /// As with the mesh's own checks, a container is not healthy until it has answered.
    @Test(
        arguments: [
            (nil, true), ("none", true), ("", true), ("healthy", true), ("starting", false), ("unhealthy", false),
        ] as [(String?, Bool)])
    func whatAHealthCheckSays(status: String?, isHealthy: Bool) {
        var book = ContainerBook()
        let health = status.map { ContainerInspection.Health(status: $0) }
        let found = ContainerInspection(name: "/web1", state: .init(running: true, process: 7, health: health))
        book.take(found, of: "a", at: .now)
        #expect(book.tasks.map(\.isHealthy) == [isHealthy])
    }

    /// Events in one part of the stream, and one event in many parts.
    @Test func eventsComeInAnyParts() async throws {
        let scene = Scene()
        try await scene.run([:]) { engine in
            scene.containers.withLock { $0["a"] = Described(name: "web1") }
            for character in Self.event("start", "a") { engine.tell(String(character)) }
            try await scene.until("the container") { scene.names == ["web1"] }
            scene.containers.withLock { $0["b"] = Described(name: "web2") }
            // Started and ended before anybody looked: it was never there.
            engine.tell(Self.event("start", "b") + Self.event("die", "b") + Self.event("start", "none") + "\r\n\n")
            engine.tell(Self.event("die", "a"))
            try await scene.until("nothing") { scene.names == [] }
            #expect(!scene.reports.withLock(\.self).contains { "\($0)".contains("web2") })
        }
    }

    /// Addresses that this node does not reach are none.
    @Test func networksThatLeadNowhere() async throws {
        let scene = Scene()
        try await scene.run([
            "a": Described(name: "a", networks: ["swarm": "10.0.1.2", "lan": "192.168.5.9"]),
            "b": Described(name: "b", networks: ["swarm": "10.0.1.3", "front": "172.20.0.3", "bridge": "172.17.0.3"]),
            "c": Described(
                name: "c", labels: ["meshctl.engine-network": "front"],
                networks: ["bridge": "172.17.0.4", "front": "172.20.0.4"]),
            "d": Described(name: "d", labels: ["meshctl.engine-network": "nowhere"]),
            "e": Described(name: "e", labels: ["meshctl.enable": "false"]),
            "f": Described(name: "f", labels: ["meshctl.network": "ingress,back"]),
        ]) { _ in
            guard case .tasks(let tasks) = scene.last else { return }
            #expect(tasks.map(\.name) == ["a", "b", "c", "d", "f"])
            #expect(tasks.map(\.addresses) == [[], ["172.17.0.3"], ["172.20.0.4"], [], []])
            #expect(tasks[3].faults == ["container d is not on the engine's network nowhere, which its label names"])
            #expect(tasks[4].attachment == .init(namespace: "/proc/4211/ns/net", networks: ["back"]))
        }
    }

    @Test func servicesByLabelSwarmComposeAndName() async throws {
        let scene = Scene()
        let compose = ["com.docker.compose.service": "web", "com.docker.compose.project": "shop"]
        try await scene.run([
            "a": Described(name: "shop-web-1", labels: compose),
            "b": Described(name: "x", labels: compose.merging(["meshctl.service": "y"]) { $1 }),
            "c": Described(name: "w.1.abc", labels: ["com.docker.swarm.service.name": "w"]),
        ]) { _ in
            guard case .tasks(let tasks) = scene.last else { return }
            #expect(tasks.map(\.services) == [["web", "shop-web-1"], ["w", "w.1.abc"], ["y"]])
            #expect(tasks.map(\.makesService) == [false, false, true])
        }
    }

    /// A lost event is no lost container.
    @Test func allAreAskedForNowAndThen() async throws {
        let scene = Scene()
        try await scene.run([:], resync: .milliseconds(50)) { _ in
            scene.containers.withLock { $0["a"] = Described(name: "web1") }
            try await scene.until("the container") { scene.names == ["web1"] }
        }
    }
}
