import FakeKernel
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// One number at several addresses of the node: the node's balancer tells such ports apart, and the sandbox does not.
@Suite struct AlikePortsTests {
    private static let first = PortBinding(443, .tcp, at: "192.168.5.1")
    private static let second = PortBinding(443, .tcp, at: "192.168.5.2")

    @Test func thePortsOfTheHostMayHaveOneNumber() throws {
        var spec = MeshSpec()
        try spec.publish(Self.first, target: 80, service: "shop")
        try spec.publish(Self.second, target: 80, service: "blog")
        #expect(spec.services.count == 2 && spec.alikePorts().isEmpty)
    }

    @Test(
        arguments: [
            (second, 80, "blog"), (second, 81, "shop"), (PortBinding(440...450, .tcp, at: "192.168.5.2"), 80, "blog"),
        ])
    func thoseOnIngressMayNot(port: PortBinding, target: UInt16, service: String) throws {
        var spec = try Self.onIngress()
        let error = #expect(throws: InputError.self) {
            try spec.publish(port, target: target, service: service, options: .init(balancing: .ingress))
        }
        let words = error?.description ?? ""
        #expect(words.hasPrefix("\(port) and 192.168.5.1:443/tcp of service shop have one number"), "\(words)")
        #expect(words.contains("choose another number"), "\(words)")
    }

    /// Another protocol, number or family is no matter; nor are two ports that lead to the same.
    @Test func whatTheSandboxTellsApart() throws {
        var spec = try Self.onIngress()
        let options = PublishOptions(balancing: .ingress)
        try spec.publish(PortBinding(443, .udp, at: "192.168.5.2"), target: 80, service: "shop", options: options)
        try spec.publish(PortBinding(455, .tcp, at: "192.168.5.2"), target: 80, service: "blog", options: options)
        try spec.publish(PortBinding(443, .tcp, at: "fd00::5"), target: 80, service: "blog", options: options)
        try spec.publish(Self.second, target: 80, service: "shop", options: options)
        #expect(spec.alikePorts().isEmpty)
        let inner = spec.services.values.flatMap(\.ports).map { "\($0.inSandbox.listening)" }.sorted()
        #expect(
            inner == [
                "169.254.113.6:443/tcp", "169.254.113.6:443/tcp", "169.254.113.6:443/udp", "169.254.113.6:455/tcp",
                "[fd6d:6573:6863:746c::2]:443/tcp",
            ])
    }

    private static func onIngress() throws -> MeshSpec {
        var spec = MeshSpec()
        try spec.publish(first, target: 80, service: "shop", options: .init(balancing: .ingress))
        return spec
    }

    /// Ports that move to ingress together are refused as well, and those that are there already stop nothing.
    @Test func whatMovesToIngressIsRefused() async throws {
        let node = FakeNode()
        try await node.specs.update { spec in
            spec = try Self.onIngress()
            try spec.publish(Self.second, target: 80, service: "blog")
        }
        let error = await #expect(throws: InputError.self) {
            _ = try await node.mesh().change { spec, _ in
                try spec.setOptions(.init(balancing: .ingress), ofService: "blog")
            }
        }
        #expect(error?.description.contains("have one number") == true, "\(error as Any)")
        #expect(try await node.specs.load().services["blog"]?.balancing == .host)

        // A mesh of an earlier version has it: other edits go on, its own export is taken, and nothing is added to it.
        try await node.specs.update { $0.services["blog"]!.chosenBalancing = .ingress }
        let change = try await node.mesh().change { spec, _ in
            try spec.publish(Self.second, target: 80, service: "blog", options: .init(stickySeconds: 60))
        }
        #expect(change.spec.services["blog"]?.ports.first?.stickySeconds == 60)
        let file = try MeshFile(yaml: change.spec.yaml, name: "mesh.yaml")
        #expect(try change.spec.applying(file, in: ApplyContext(node: "node1")) == change.spec)
        let third = await #expect(throws: InputError.self) {
            _ = try await node.mesh().change { spec, _ in
                try spec.publish(
                    PortBinding(443, .tcp, at: "192.168.5.3"), target: 80, service: "wiki",
                    options: .init(balancing: .ingress))
            }
        }
        #expect(third?.description.contains("192.168.5.3:443/tcp and ") == true, "\(third as Any)")
    }

    /// One container that cannot have its way does not keep the others from theirs: neither by the port that it asks for,
    /// nor by a network that takes its service to ingress.
    @Test(arguments: [true, false]) func aFoundContainerStopsNobody(ownPort: Bool) throws {
        let origin = Origin("docker", on: "node1")
        var spec = try Self.onIngress()
        if !ownPort { try spec.publish(Self.second, target: 80, service: "blog") }
        var blog = FoundTask("blog1", services: ["blog"])
        blog.makesService = true
        blog.attachment = .init(namespace: "/proc/7/ns/net", networks: [])
        if ownPort { blog.ports = [.init(listening: Self.second, target: 80)] }
        var web = FoundTask("web1", services: ["web"])
        web.makesService = true
        web.addresses = ["172.17.0.2"]
        var context = MeshSpec.FoundContext()
        context.facts["/proc/7/ns/net"] = TaskFacts(inode: 7)
        for _ in 0..<2 {
            let notes = spec.takeOver([blog, web], of: origin, in: context)
            #expect(notes.count == 1 && notes[0].contains("have one number"), "\(notes)")
            #expect(spec.services["web"]?.tasks.map(\.address) == ["172.17.0.2"])
            #expect(spec.alikePorts().isEmpty)
            #expect(spec.services["blog"]?.ports.count ?? 0 == (ownPort ? 0 : 1))
        }
    }
}
