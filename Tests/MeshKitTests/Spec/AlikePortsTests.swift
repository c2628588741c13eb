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
            (second, "blog"), (second, "shop"), (PortBinding(440...450, .tcp, at: "192.168.5.2"), "blog"),
            (PortBinding(443, .tcp, at: "fd00::5"), "blog"),
        ])
    func thoseOnIngressMayNot(port: PortBinding, service: String) throws {
        var spec = MeshSpec()
        try spec.publish(Self.first, target: 80, service: "shop", options: .init(balancing: .ingress))
        // Another protocol, and another number, are no matter.
        try spec.publish(
            PortBinding(443, .udp, at: "192.168.5.2"), target: 80, service: "shop", options: .init(balancing: .ingress))
        try spec.publish(
            PortBinding(455, .tcp, at: "192.168.5.2"), target: 80, service: "blog", options: .init(balancing: .ingress))
        let error = #expect(throws: InputError.self) {
            try spec.publish(port, target: 80, service: service, options: .init(balancing: .ingress))
        }
        #expect(
            error?.description.hasPrefix("\(port) cannot be published: the ingress network tells ports apart by their")
                == true
                && error?.description.contains("192.168.5.1:443/tcp of service shop") == true
                && error?.description.contains("--network host") == true, "\(String(describing: error))")
    }

    /// Ports that move to ingress together are refused as well, and those that are there already stop nothing.
    @Test func whatMovesToIngressIsRefused() async throws {
        let node = FakeNode()
        try await node.specs.update { spec in
            try spec.publish(Self.first, target: 80, service: "shop", options: .init(balancing: .ingress))
            try spec.publish(Self.second, target: 80, service: "blog")
        }
        let error = await #expect(throws: InputError.self) {
            _ = try await node.mesh().change { spec, _ in
                try spec.setOptions(.init(balancing: .ingress), ofService: "blog")
            }
        }
        #expect(error?.description.contains("192.168.5.2:443/tcp cannot be published") == true, "\(error as Any)")
        #expect(try await node.specs.load().services["blog"]?.balancing == .host)

        try await node.specs.update { $0.services["blog"]!.chosenBalancing = .ingress }
        let change = try await node.mesh().change { spec, _ in
            try spec.publish(PortBinding(80, .tcp), target: 80, service: "new")
        }
        #expect(change.spec.services["new"] != nil)
    }
}
