import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// What sources have found becomes part of the spec, beside what the operator has put there.
@Suite struct FoundTasksTests {
    private static let origin = Origin("docker", on: "node1")

    static func task(_ name: String, _ address: IPAddress?, service: String = "web", makes: Bool = true)
        -> FoundTask
    {
        var task = FoundTask(name, services: [service])
        task.makesService = makes
        task.addresses = address.map { [$0] } ?? []
        return task
    }

    static func publishing(_ name: String, _ address: IPAddress, _ port: UInt16, to target: UInt16) -> FoundTask {
        var task = task(name, address)
        task.ports = [.init(listening: PortBinding(port, .tcp), target: target)]
        return task
    }

    var spec = MeshSpec()
    let origin = Self.origin

    @discardableResult
    mutating func take(_ found: FoundTask..., context: MeshSpec.FoundContext = .init()) -> [String] {
        spec.takeOver(found, of: origin, in: context)
    }

    func addresses(_ service: String = "web") -> [IPAddress] {
        spec.services[service]?.tasks.map(\.address) ?? []
    }

    @Test mutating func tasksComeAndGo() throws {
        take(Self.task("a", "172.17.0.2"), Self.task("b", "172.17.0.3"))
        #expect(addresses() == ["172.17.0.2", "172.17.0.3"])
        #expect(spec.services["web"]?.tasks.map(\.origin) == [origin, origin])
        #expect(spec.services["web"]?.tasks.map(\.node) == ["node1", "node1"])
        let before = spec
        take(Self.task("b", "172.17.0.3"), Self.task("a", "172.17.0.2"))
        #expect(spec == before)
        take(Self.task("b", "172.17.0.9"))
        #expect(addresses() == ["172.17.0.9"])
        take()
        #expect(spec.services.isEmpty)
    }

    /// A label makes a service; a name alone does not.
    @Test mutating func aContainerByItsNameNeedsAService() throws {
        take(Self.task("web", "172.17.0.2", makes: false))
        #expect(spec.services.isEmpty)
        try spec.createService("web")
        take(Self.task("web", "172.17.0.2", makes: false))
        #expect(addresses() == ["172.17.0.2"])
        take()
        #expect(spec.services["web"]?.tasks == [], "the operator's service stays")
        // The first name that exists counts; the label of another container makes one, too.
        var task = FoundTask("shop-api-1", services: ["api", "shop-api-1"])
        task.addresses = ["172.17.0.5"]
        take(task, Self.task("x", "172.17.0.6", service: "api"))
        #expect(addresses("api") == ["172.17.0.5", "172.17.0.6"])
        take(task)
        #expect(spec.services["api"] == nil)
    }

    @Test mutating func whatTheOperatorHasPutThereStays() throws {
        try spec.publish(PortBinding(1080, .tcp), target: 80, service: "web")
        try spec.addTask(SpecTask(address: "172.17.0.2", weight: 5), service: "web")
        let notes = take(
            Self.publishing("a", "172.17.0.2", 1080, to: 80), Self.publishing("b", "172.17.0.3", 1081, to: 80))
        #expect(notes == [])
        #expect(spec.services["web"]?.tasks.first == SpecTask(address: "172.17.0.2", weight: 5))
        #expect(spec.services["web"]?.ports.map(\.origin) == [nil, origin])
        #expect(spec.services["web"]?.origin == nil)
        take()
        #expect(addresses() == ["172.17.0.2"])
        #expect(spec.services["web"]?.ports.map(\.listening) == [PortBinding(1080, .tcp)])
        let refused = take(Self.publishing("a", "172.17.0.2", 1080, to: 8080))
        #expect(
            refused == [
                "container a asks for 1080/tcp: the operator has published it to port 80; unpublish it there, or change the label"
            ])
    }

    @Test mutating func whoFindsItAgain() throws {
        take(Self.publishing("a", "172.17.0.2", 1080, to: 80))
        try spec.addTask(SpecTask(address: "10.0.0.9"), service: "web")
        let before = spec
        #expect(before.origins(besides: spec) == [])
        try spec.removeTask("10.0.0.9", service: "web")
        #expect(before.origins(besides: spec) == [])
        try spec.unpublish(PortBinding(1080, .tcp))
        #expect(before.origins(besides: spec) == [origin])
        #expect(before.origins(besides: MeshSpec()) == [origin])
    }

    @Test mutating func otherNodesAndSourcesAreLeftAlone() throws {
        let others = MeshSpec.FoundContext()
        let theirs = Origin("docker", on: "node2")
        _ = spec.takeOver([Self.task("z", "172.17.9.9")], of: theirs, in: others)
        _ = spec.takeOver([Self.task("y", "172.17.8.8")], of: Origin("podman", on: "node1"), in: others)
        take(Self.task("a", "172.17.0.2"))
        #expect(addresses() == ["172.17.0.2", "172.17.8.8", "172.17.9.9"])
        take()
        #expect(addresses() == ["172.17.8.8", "172.17.9.9"])
    }

    @Test mutating func aContainerWithoutAddress() throws {
        let notes = take(Self.task("a", nil))
        #expect(notes.count == 1)
        #expect(
            notes[0].hasPrefix("container a is no task of service web: it has no address that this node's routes reach")
        )
        #expect(spec.services.isEmpty)
    }

    @Test mutating func illHealth() throws {
        var (a, b) = (Self.publishing("a", "172.17.0.2", 1080, to: 80), Self.task("b", "172.17.0.3"))
        a.isHealthy = false
        take(a, b)
        let service = try #require(spec.services["web"])
        #expect(service.tasks.map(\.isUnhealthy) == [true, false])
        #expect(!service.isInPanic)
        #expect(service.balancedTasks.map(\.share) == [0, 1])
        #expect(spec.notesOnHealth == [])
        b.isHealthy = false
        take(a, b)
        #expect(
            spec.services["web"]?.balancedTasks.map(\.share) == [1, 1], "a task that may answer is better than none")
        #expect(spec.notesOnHealth.first?.hasPrefix("no task of service web is healthy, so all of them") == true)
        a.isHealthy = true
        take(a, b)
        #expect(spec.services["web"]?.balancedTasks.map(\.share) == [1, 0])
    }

    private static func composed(_ project: String, _ address: IPAddress, port: UInt16? = nil) -> FoundTask {
        var task = task("\(project)-web-1", address, makes: port != nil)
        task.services.append(task.name)
        (task.project, task.projectService) = (project, "web")
        task.ports = port.map { [.init(listening: PortBinding($0, .tcp), target: 80)] } ?? []
        return task
    }

    /// The name of a service in a Compose file says nothing beside that of another file.
    @Test mutating func projectsWithServicesOfOneName() throws {
        let (shop, blog) = (
            Self.composed("shop", "10.0.0.11", port: 1080), Self.composed("blog", "10.0.0.12", port: 1090)
        )
        let note =
            "container shop-web-1 is no task of service web, which has containers of the project blog: the label "
            + "meshctl.service tells them apart"
        #expect(take(shop, blog) == [note])
        #expect(addresses() == ["10.0.0.12"])
        #expect(spec.services["web"]?.ports.map(\.listening) == [PortBinding(1090, .tcp)])
        #expect(take(shop) == [])
        #expect(addresses() == ["10.0.0.11"])
        // One project with several containers, and containers without a project, belong together.
        var second = Self.composed("shop", "10.0.0.13")
        second.name = "shop-web-2"
        #expect(take(shop, second, Self.task("c", "10.0.0.14")) == [])
        #expect(addresses() == ["10.0.0.11", "10.0.0.13", "10.0.0.14"])
    }

    @Test mutating func whichProjectHasAService() throws {
        // The one that makes the service, whatever the others are called.
        let blog = Self.composed("blog", "10.0.0.12")
        #expect(take(blog, Self.composed("shop", "10.0.0.11", port: 1080)).count == 1)
        #expect(addresses() == ["10.0.0.11"])
        // The one whose containers a label has put there, or their own name.
        var labelled = Self.composed("zoo", "10.0.0.15", port: 1080)
        labelled.projectService = nil
        #expect(take(blog, Self.composed("shop", "10.0.0.11", port: 1090), labelled).count == 2)
        #expect(addresses() == ["10.0.0.15"])
        labelled.projectService = "api"
        #expect(take(blog, labelled).count == 1)
        // With a service that the operator has made, too.
        take()
        try spec.createService("web")
        #expect(take(Self.composed("shop", "10.0.0.11"), blog).count == 1)
        #expect(addresses() == ["10.0.0.12"])
    }

    /// A task was told to end and goes on: only a health check says whether it serves.
    @Test mutating func aTaskThatNeedsACheck() throws {
        var a = Self.publishing("a", "172.17.0.2", 1080, to: 80)
        a.needsCheck = true
        #expect(take(a) == [])
        #expect(spec.services.isEmpty, "it makes no service either")
        take(a, Self.task("b", "172.17.0.3"))
        #expect(addresses() == ["172.17.0.3"])
        a.options.healthCheck = try HealthCheck("tcp")
        take(a, Self.task("b", "172.17.0.3"))
        #expect(addresses() == ["172.17.0.2", "172.17.0.3"])
        take()
        a.options.healthCheck = .some(nil)
        take(a)
        #expect(spec.services.isEmpty)
        // The label is nothing where the operator says what is checked.
        try spec.createService("web")
        a.options.healthCheck = try HealthCheck("tcp")
        take(a)
        #expect(addresses() == [])
        try spec.setOptions(PublishOptions(healthCheck: .some(try HealthCheck("tcp"))), ofService: "web")
        a.options.healthCheck = nil
        take(a)
        #expect(addresses() == ["172.17.0.2"])
    }

    @Test mutating func slowStart() throws {
        var task = Self.publishing("a", "172.17.0.2", 1080, to: 80)
        task.options.slowStartSeconds = 30
        let notes = take(task)
        #expect(notes.count == 1 && notes[0].contains("with the scheduler rr, which does not go by weights"))
        #expect(spec.services["web"]?.slowStartSeconds == nil)
        task.options.scheduler = .weightedLeastConnection
        #expect(take(task) == [] && spec.services["web"]?.slowStartSeconds == 30)
        task.options.slowStartSeconds = 0
        #expect(take(task) == [] && spec.services["web"]?.slowStartSeconds == nil)
    }

    // MARK: Documents

    @Test mutating func documentsAndFiles() throws {
        var a = Self.publishing("a", "172.17.0.2", 1080, to: 80)
        a.isHealthy = false
        take(a)
        let yaml = spec.yaml
        let file = try MeshFile(yaml: yaml, name: "mesh.yaml")
        // Another node takes over what this one has found, and this one knows better than the file.
        var there = ApplyContext(node: "node2")
        there.forces = true
        var elsewhere = try MeshSpec().applying(file, in: there)
        #expect(elsewhere.services == spec.services)
        elsewhere = try elsewhere.applying(file, in: there)
        #expect(elsewhere.services == spec.services)
        // What is found here and there makes nobody's mesh a newer one.
        #expect(elsewhere.meshGeneration == spec.meshGeneration)
        let before = spec
        take(Self.task("b", "172.17.0.3"))
        var context = ApplyContext(node: "node1")
        context.forces = true
        let applied = try spec.applying(file, in: context)
        #expect(applied.services == spec.services)
        #expect(applied.services != before.services)
        #expect(Origin("docker") == nil && Origin("a@b@c") == nil && Origin("@b") == nil)
    }
}
