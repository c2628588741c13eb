import FakeKernel
import IPVSKit
import MeshKit
import RuleKit
import Testing

@testable import AgentAPI
@testable import meshctl

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The operations as clients write them.
@Suite struct OperationTests {
    /// Each operation with all that it can be asked for, and with as little as it needs.
    static let examples: [any JSONOperation] = [
        PublishPorts(ports: [PublishText(1080, 80)], service: "web"),
        PublishPorts(
            ports: [PublishText(1080, 80), PublishText(5353, 53, .udp)], service: "web", options: options, force: true,
            now: true),
        UnpublishPorts(ports: [PortBinding(1080, .tcp)]),
        UnpublishPorts(
            ports: [PortBinding(1000...1010, .udp, at: "192.168.5.1"), PortBinding(1, .sctp, at: "fd00::1")], now: true),
        CreateService(service: "web"),
        CreateService(
            service: "web",
            options: PublishOptions(
                scheduler: .maglevHashing, balancing: .host, healthCheck: .some(nil), slowStartSeconds: 0), isDry: true),
        try! SetService(service: "web", options: options, isDry: true, now: true),
        try! SetService(
            service: "web", ports: [PortBinding(1080, .tcp)],
            options: PublishOptions(stickySeconds: 0, allowed: [], drain: .unlimited, maxConnections: 0)),
        RemoveService(service: "web", now: true),
        AddTask(service: "web", address: "10.0.0.11"),
        AddTask(service: "web", address: "fd00::11", weight: 0, isLocal: true, replaces: true, now: true),
        RemoveTask(service: "web", address: "10.0.0.11", now: true),
        AttachTask(service: "web", namespace: "/run/netns/web"),
        AttachTask(
            service: "web", namespace: "/proc/7/ns/net", container: "web1", node: "node2", networks: ["back"],
            address: "10.0.1.5", weight: 3, replaces: true, now: true),
        DetachTasks(service: "web", which: .container("web1", node: "node2"), now: true),
        DrainTasks(service: "web", which: .address("10.0.0.11")),
        DrainTasks(service: "web", which: .node("node2")),
        UndrainTasks(service: "web", which: .namespace("/run/netns/web", node: nil)),
        CreateNetwork(network: "back"), CreateNetwork(network: "back", subnets: ["10.0.1.0/24"], identifier: 7),
        ConnectServices(members: NetworkMembers(network: "back", services: ["web", "db"])),
        DisconnectServices(members: NetworkMembers(network: "back", services: ["web"])),
        RemoveNetwork(network: "back"), AddNode(node: "node2"),
        AddNode(node: "node2", address: "192.168.5.2", gatewaySubnets: ["172.30.0.0/16"]), RemoveNode(node: "node2"),
        ResetMesh(), ResetMesh(recovers: true),
    ]
    private static let options = PublishOptions(
        scheduler: .weightedLeastConnection, stickySeconds: 600, allowed: ["10.0.0.0/8", "fd00::/8"], sourceIP: .nat,
        drain: .seconds(0), maxConnections: 100, balancing: .ingress,
        healthCheck: try! HealthCheck("http:/healthz,interval=10s,port=8080"), slowStartSeconds: 30)

    @Test(arguments: examples.indices) func anOperationIsReadAsItIsWritten(index: Int) throws {
        func again<Made: JSONOperation>(_ operation: Made) throws {
            let request = try operation.request
            let read = try Made(request)
            #expect("\(read)" == "\(operation)", "\(request.body)")
            #expect(try read.request == request && read.isDry == operation.isDry)
        }
        try again(Self.examples[index])
    }

    @Test func thereIsAnExampleOfEach() {
        let written = Set(Self.examples.map { type(of: $0).path })
        let all = Set(Operations.all.map { $0.path })
        #expect(written == all.subtracting(["/v1/apply", "/v1/reconcile"]) && all.count == Operations.all.count)
    }

    /// A misspelt field would be left undone.
    @Test(arguments: examples.indices) func anUnknownFieldIsRefusedByItsName(index: Int) throws {
        func misspell<Made: JSONOperation>(_ operation: Made) throws {
            var request = try operation.request
            request.body = #"{"colour":"red""# + (request.body == "{}" ? "}" : "," + request.body.dropFirst())
            let error = #expect(throws: InputError.self) { try Made(request) }
            #expect(error?.description.hasPrefix("there is no field \"colour\"; there are ") == true, "\(error as Any)")
        }
        try misspell(Self.examples[index])
    }

    /// As a person writes it: ports, times and networks are texts as in mesh files, and what is left out is as usual.
    @Test func aRequestByHand() throws {
        let body = """
            {"service": "web", "ports": ["8080:80", "192.168.5.1:5000-5009:6000/udp"], "sticky": 600, "drain": false,
             "health": "off", "allow": [], "max-conns": 5, "slow-start": "1m", "balancer": "host"}
            """
        let read = try PublishPorts(ChangeRequest(body: body))
        let options = PublishOptions(
            stickySeconds: 600, allowed: [], drain: .seconds(0), maxConnections: 5, balancing: .host,
            healthCheck: .some(nil), slowStartSeconds: 60)
        #expect(read.ports.map(\.description) == ["8080:80/tcp", "192.168.5.1:5000-5009:6000/udp"])
        #expect(read.options == options && !read.force && !read.now)
        let attached = try AttachTask(ChangeRequest(body: #"{"service": "web", "namespace": "web1"}"#))
        #expect(attached == AttachTask(service: "web", namespace: "/run/netns/web1"))
    }

    @Test func aMistakeNamesItsField() throws {
        func expect<Made: JSONOperation>(_: Made.Type, _ body: String, _ reason: String) {
            let error = #expect(throws: InputError.self) { try Made(ChangeRequest(body: body)) }
            #expect(error?.description.contains(reason) == true, "\(body): \(error as Any)")
        }
        for body in ["", "x", "[]", "7", "{"] { expect(ResetMesh.self, body, "the request's body is no JSON object") }
        expect(PublishPorts.self, #"{"service": "web"}"#, "the field ports is needed")
        expect(PublishPorts.self, #"{"service": "web", "ports": []}"#, "the field ports is needed")
        expect(PublishPorts.self, #"{"service": "web", "ports": "1:1"}"#, "the field ports must be a list of texts")
        expect(
            PublishPorts.self, #"{"service": "web", "ports": ["1"]}"#, "the field ports: \"1\" is not a port to publish"
        )
        expect(PublishPorts.self, #"{"ports": ["1:1"]}"#, "the field service is needed")
        expect(PublishPorts.self, #"{"service": 7, "ports": ["1:1"]}"#, "the field service must be a text")
        expect(
            PublishPorts.self, #"{"service": "web", "ports": ["1:1"], "sticky": true}"#,
            "the field sticky must be a text")
        expect(
            PublishPorts.self, #"{"service": "web", "ports": ["1:1"], "scheduler": "x"}"#,
            "the field scheduler: the schedulers are ")
        expect(
            PublishPorts.self, #"{"service": "web", "ports": ["1:1"], "force": 1}"#, "the field force must be true or")
        expect(
            PublishPorts.self, #"{"service": "web", "ports": ["1:1"], "max-conns": 99999999999999999999}"#,
            "the field max-conns must be a text or a whole number")
        expect(SetService.self, #"{"service": "web", "ports": [], "sticky": 60}"#, "the field ports is empty")
        expect(SetService.self, #"{"service": "web"}"#, "Say what to change")
        expect(
            SetService.self, #"{"service": "web", "ports": ["1"], "scheduler": "rr"}"#, "hold for the whole service")
        expect(
            AddTask.self, #"{"service": "web", "address": "10.0.0.1", "weight": -1}"#,
            "the field weight must be a number")
        expect(AttachTask.self, #"{"service": "web", "namespace": "a/b"}"#, "the field namespace: \"a/b\" is neither")
        expect(DrainTasks.self, #"{"service": "web"}"#, "say which task")
        expect(DrainTasks.self, #"{"service": "web", "address": "10.0.0.1", "node": "a"}"#, "give one of them")
        expect(DetachTasks.self, #"{"service": "web", "namespace": "a", "container": "b"}"#, "give one of them")
    }

    @Test func filesAndPassesAreAskedForByTheQuery() throws {
        let file = try ApplyFile(
            text: "services: {}\n", name: "a b/ü?&=.yaml", prunes: true, forces: true, now: true, isDry: true)
        #expect(
            file.request.query
                == "?dry-run=true&force=true&now=true&prune=true&name=a%20b%2F%C3%BC%3F%26%3D.yaml")
        let read = try ApplyFile(file.request)
        #expect(read.request == file.request && read.isDry)
        #expect(ReconcileKernel().request.query == "")
        for pass in [ReconcileKernel(retries: true), ReconcileKernel(now: true)] {
            #expect(ReconcileKernel(pass.request) == pass)
        }
        let error = #expect(throws: InputError.self) { try ApplyFile(ChangeRequest(body: "a: 1")) }
        #expect(error?.description.hasPrefix("the request's body:1:") == true, "\(error as Any)")
    }

    @Test func namesAreThoseOfTheCommands() {
        #expect(
            PublishPorts.name == "publish" && AttachTask.name == "task attach" && ReconcileKernel.name == "reconcile")
    }

    /// What an agent sends of connections and of tasks is printed as if it had never been JSON.
    @Test func theLinesOfAnOutcomeOutliveTheirWay() throws {
        let path = RetiringConnections(
            place: PlaceID(rawValue: "ingress_sbox"), binding: PortBinding(5000...5009, .udp, at: "fd00::1"),
            destination: Destination.ID("fd00::11", port: 0), connections: 2, seconds: 12, secondsLeft: 48,
            isDraining: false)
        let uncounted = RetiringConnections(
            place: .node, binding: PortBinding(1080, .tcp), destination: Destination.ID("10.0.0.11", port: 80),
            connections: nil, seconds: 0, secondsLeft: nil, isDraining: true)
        let unhealthy = RetiringConnections(
            place: .node, binding: PortBinding(1080, .tcp), destination: Destination.ID("10.0.0.11", port: 80),
            connections: 1, seconds: 0, secondsLeft: nil, isDraining: true, isUnhealthy: true)
        for fields in [path, uncounted, unhealthy].map(RetiringFields.init) {
            #expect(try again(fields).description == fields.description)
        }
        #expect(RetiringFields(path).description.contains("2 connections left, no new ones for 12 s, cut in 48 s"))
        let starter = try JSONDecoder().decode(
            StartingFields.self,
            from: Data(#"{"service": "web", "task": "10.0.0.12", "tenths": 3, "secondsLeft": 21}"#.utf8))
        #expect(
            try again(starter).description
                == "task 10.0.0.12 of service web starts slowly: 3 tenths of its share, all of it in 21 s")
    }

    @Test(arguments: [
        (1, "1 connection left, which goes on", "1 connection left when it was cut"),
        (2, "2 connections left, which go on", "2 connections left when they were cut"),
    ])
    func whatIsSaidWhenTheTimeIsOver(connections: Int, goesOn: String, isCut: String) {
        let path = RetiringConnections(
            place: .node, binding: PortBinding(1080, .tcp), destination: Destination.ID("10.0.0.11", port: 80),
            connections: connections, seconds: 60, isDraining: true)
        #expect(path.lineAtTheEnd(isCut: false) == "the time is over: 1080/tcp -> 10.0.0.11:80: \(goesOn)")
        #expect(path.lineAtTheEnd(isCut: true) == "the time is over: 1080/tcp -> 10.0.0.11:80: \(isCut)")
    }

    /// A task that is not healthy gets no new connections by the end of its drain.
    @Test func whatEndsADrainAndWhatDoesNot() async throws {
        let node = FakeNode()
        let addresses: [IPAddress] = ["10.0.0.11", "10.0.0.12", "10.0.0.13"]
        for address in addresses { _ = try await AddTask(service: "web", address: address).perform(on: node.mesh()) }
        let check = PublishOptions(healthCheck: .some(HealthCheck(.tcp)))
        _ = try await PublishPorts(ports: [PublishText(1080, 80)], service: "web", options: check, force: true)
            .perform(on: node.mesh())
        func undrained(_ address: IPAddress) async throws -> [String] {
            try await UndrainTasks(service: "web", which: .address(address)).perform(on: node.mesh()).output
        }
        func judge(_ unhealthy: Set<IPAddress>) throws {
            var ledger = try #require(try node.ledgers.load())
            ledger.unhealthy = ["web": unhealthy]
            try node.ledgers.save(ledger, replacing: ledger.generation)
        }
        try judge(["10.0.0.12"])
        #expect(try await undrained("10.0.0.11") == ["10.0.0.11 of web gets new connections."])
        #expect(
            try await undrained("10.0.0.12") == [
                "10.0.0.12 of web drains no more, but is not healthy: it gets new connections once it is."
            ])
        // While nobody is healthy, all are used.
        try judge(Set(addresses))
        #expect(try await undrained("10.0.0.12") == ["10.0.0.12 of web gets new connections."])
    }

    private func again<Value: Codable>(_ value: Value) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(JSONText.encode(value).utf8))
    }
}

extension PublishText {
    init(_ published: UInt16, _ target: UInt16, _ transport: TransportProtocol = .tcp) {
        try! self.init("\(published):\(target)/\(transport)")
    }
}
