import FakeKernel
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Services that are made and changed by their options.
@Suite struct ServiceOptionsTests {
    private static let web = PortBinding(1080, .tcp)
    private static let tls = PortBinding(1443, .tcp, at: "192.168.5.1")

    private static func spec() throws -> MeshSpec {
        var spec = MeshSpec()
        let options = PublishOptions(stickySeconds: 60, allowed: ["10.0.0.0/8"])
        for port in [web, tls] { try spec.publish(port, target: 80, service: "nginx", options: options) }
        try spec.publish(PortBinding(5353, .udp), target: 53, service: "dns")
        return spec
    }

    @Test func optionsOfAServiceAndOfAllItsPorts() throws {
        var spec = try Self.spec()
        let before = spec
        try spec.setOptions(PublishOptions(), ofService: "nginx")
        #expect(spec == before)
        try spec.setOptions(
            PublishOptions(scheduler: .maglevHashing, stickySeconds: 0, sourceIP: .nat, balancing: .ingress),
            ofService: "nginx")
        let service = try spec.service("nginx")
        #expect(service.scheduler == .maglevHashing && service.chosenBalancing == .ingress)
        for (port, old) in zip(service.ports, before.services["nginx"]!.ports) {
            #expect(port.stickySeconds == nil && port.sourceIP == .nat && port.allowed == ["10.0.0.0/8"])
            #expect(port.mark == old.mark && port.listening == old.listening && port.target == old.target)
        }
        #expect(spec.services["dns"] == before.services["dns"])
    }

    @Test func optionsOfOnePort() throws {
        var spec = try Self.spec()
        let before = spec
        try spec.setOptions(PublishOptions(allowed: ["192.168.0.0/16"]), ofService: "nginx", ports: [Self.tls])
        var expected = before
        let index = expected.services["nginx"]!.ports.firstIndex { $0.listening == Self.tls }!
        expected.services["nginx"]!.ports[index].allowed = ["192.168.0.0/16"]
        #expect(spec == expected)
    }

    @Test func optionsThatNoServiceHas() throws {
        var spec = try Self.spec()
        expectRefusal(spec, "no service \"web\"", "meshctl service ls") {
            try $0.setOptions(PublishOptions(stickySeconds: 9), ofService: "web")
        }
        expectRefusal(spec, "nginx does not publish 5353/udp", "meshctl service inspect nginx") {
            try $0.setOptions(
                PublishOptions(stickySeconds: 9), ofService: "nginx", ports: [Self.web, PortBinding(5353, .udp)])
        }
        // All of its ports or none: the other one is for all addresses.
        expectRefusal(spec, "192.168.5.1:1443/tcp is of another family than fd00::/8") {
            try $0.setOptions(PublishOptions(allowed: ["fd00::/8"]), ofService: "nginx")
        }
        expectRefusal(spec, "holds no address that a client can have") {
            try $0.setOptions(PublishOptions(allowed: ["224.0.0.0/4"]), ofService: "nginx")
        }
        expectRefusal(spec, "chooses by the address that clients connect to") {
            try $0.setOptions(PublishOptions(scheduler: .destinationHashing), ofService: "nginx")
        }
        try spec.addTask(SpecTask(address: "10.0.0.9"), service: "nginx")
        expectRefusal(spec, "such as 10.0.0.9", "leave --network out") {
            try $0.setOptions(PublishOptions(scheduler: .neverQueue, balancing: .ingress), ofService: "nginx")
        }
        try spec.createService("empty")
        expectRefusal(spec, "service empty publishes no port") {
            try $0.setOptions(PublishOptions(stickySeconds: 9), ofService: "empty")
        }
        try spec.setOptions(PublishOptions(scheduler: .neverQueue), ofService: "empty")
        #expect(spec.services["empty"]?.scheduler == .neverQueue)
    }

    /// It needs a scheduler that spreads by weight, whatever is set first.
    @Test func slowStart() throws {
        var spec = MeshSpec()
        #expect(Scheduler.startingSlowly.map(\.rawValue) == ["wrr", "wlc", "sed", "nq", "twos"])
        for scheduler in Scheduler.publishable where !Scheduler.startingSlowly.contains(scheduler) {
            expectRefusal(spec, "cannot start slowly with the scheduler \(scheduler)", "wrr, wlc, sed, nq or twos") {
                try $0.publish(
                    Self.web, target: 80, service: "nginx",
                    options: PublishOptions(scheduler: scheduler, slowStartSeconds: 30))
            }
        }
        expectRefusal(spec, "with the scheduler rr, which does not go by weights") {
            try $0.createService("nginx", options: PublishOptions(slowStartSeconds: 30))
        }
        try spec.publish(
            Self.web, target: 80, service: "nginx",
            options: PublishOptions(scheduler: .powerOfTwo, slowStartSeconds: 30))
        #expect(spec.services["nginx"]?.slowStartSeconds == 30)
        expectRefusal(spec, "with the scheduler mh, which would move clients") {
            try $0.setOptions(PublishOptions(scheduler: .maglevHashing), ofService: "nginx")
        }
        try spec.setOptions(PublishOptions(stickySeconds: 60), ofService: "nginx")
        #expect(spec.services["nginx"]?.slowStartSeconds == 30)
        try spec.setOptions(PublishOptions(scheduler: .maglevHashing, slowStartSeconds: 0), ofService: "nginx")
        #expect(spec.services["nginx"]?.slowStartSeconds == nil)
    }

    @Test func aServiceIsMadeOnce() throws {
        var spec = MeshSpec()
        let options = PublishOptions(scheduler: .leastConnection, balancing: .ingress)
        try spec.createService("nginx", options: options)
        #expect(spec.services["nginx"]?.scheduler == .leastConnection)
        #expect(spec.services["nginx"]?.balancing == .ingress && spec.services["nginx"]?.tasks == [])
        let once = spec
        try spec.createService("nginx", options: options)
        try spec.createService("nginx")
        #expect(spec == once)
        expectRefusal(spec, "a service nginx with other options", "meshctl service set nginx") {
            try $0.createService("nginx", options: PublishOptions(scheduler: .roundRobin))
        }
        expectRefusal(spec, "is no service name") { try $0.createService("a b") }
        expectRefusal(spec, "chooses by the address") {
            try $0.createService("web", options: PublishOptions(scheduler: .destinationHashing))
        }
    }

    /// What a preview shows is what the change then does.
    @Test func aPreviewChangesNothing() async throws {
        let node = FakeNode()
        let mesh = node.mesh()
        _ = try await mesh.change { spec, _ in
            try spec.addTask(SpecTask(address: "10.0.0.11"), service: "nginx")
            try spec.publish(Self.web, target: 80, service: "nginx")
        }
        let before = try await node.specs.load()
        let edit: @Sendable (inout MeshSpec, MeshView) throws -> Void = { spec, _ in
            try spec.setOptions(PublishOptions(scheduler: .maglevHashing), ofService: "nginx")
        }
        let preview = try await mesh.preview(edit)
        #expect(preview.differences == ["~ service nginx: scheduler mh (now: scheduler rr)"])
        #expect(!preview.plan.isEmpty)
        #expect(try await node.specs.load() == before)
        let change = try await mesh.change(edit)
        #expect(change.plan.listing == preview.plan.listing)
        #expect(try await mesh.preview(edit).differences == [])
        #expect(try await mesh.plan().isEmpty)
    }
}

extension Plan {
    fileprivate var listing: [String] { steps.map(\.description) }
}
