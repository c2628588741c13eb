import FakeKernel
import IPVSKit
import RuleKit
import Testing

@testable import MeshKit

/// Tasks that come back.
extension SlowStartTests {
    private static func follow(_ node: FakeNode, _ unhealthy: Set<IPAddress>) async throws -> MeshChange {
        try await node.mesh().follow(
            retry: false, unhealthy: unhealthy.isEmpty ? [:] : ["nginx": unhealthy], checking: { _, _ in }
        ).change
    }

    private static func checked() async throws -> FakeNode {
        var options = options
        options.healthCheck = .some(HealthCheck(.tcp))
        return try await node(["10.0.0.11", "10.0.0.12"], options)
    }

    @Test func aTaskThatIsHealthyAgain() async throws {
        let node = try await Self.checked()
        _ = try await Self.follow(node, ["10.0.0.12"])
        #expect(try await node.weightsInKernel() == [1, 0])
        _ = try await Self.follow(node, [])
        #expect(try await node.weightsInKernel() == [10, 1])
        node.kernel.withState { $0.time += 12_000_000_000 }
        _ = try await Self.follow(node, [])
        #expect(try await node.weightsInKernel() == [10, 5])
        // Whoever fails meanwhile begins anew.
        _ = try await Self.follow(node, ["10.0.0.12"])
        #expect(try await node.weightsInKernel() == [1, 0])
        _ = try await Self.follow(node, [])
        #expect(try await node.weightsInKernel() == [10, 1])
    }

    @Test func allOfThemAreHealthyAgain() async throws {
        let node = try await Self.checked()
        _ = try await Self.follow(node, ["10.0.0.12"])
        _ = try await Self.follow(node, ["10.0.0.11", "10.0.0.12"])
        #expect(try await node.weightsInKernel() == [1, 1], "all are used while none is healthy")
        _ = try await Self.follow(node, [])
        #expect(try await node.weightsInKernel() == [1, 1])
        #expect(try Self.starting(node) == [])
    }

    /// A task whose container was found gets nothing before its first good probe, and then starts slowly.
    @Test func aTaskThatWasFound() async throws {
        let node = try await Self.checked()
        var found = FoundTask("c1", services: ["nginx"])
        found.addresses = ["10.0.0.13"]
        func follow(_ unhealthy: Set<IPAddress>) async throws {
            _ = try await node.mesh().follow(
                retry: false, unhealthy: unhealthy.isEmpty ? [:] : ["nginx": unhealthy], found: ["docker": [found]]
            ) { _, _ in }
        }
        try await follow([])
        #expect(try await node.weightsInKernel() == [1, 1, 0], "nobody has probed it")
        try await follow(["10.0.0.13"])
        try await follow([])
        #expect(try await node.weightsInKernel() == [10, 10, 1])
    }

    @Test func aTaskThatDrainsNoMore() async throws {
        let node = try await Self.node(["10.0.0.11", "10.0.0.12"])
        _ = try await node.mesh().drain(.address("10.0.0.12"), service: "nginx")
        #expect(try await node.mesh().observe().plan.isEmpty)
        _ = try await node.mesh().undrain(.address("10.0.0.12"), service: "nginx")
        #expect(try await node.weightsInKernel() == [10, 1])
    }

    @Test func aTaskWithoutAShareStaysSo() async throws {
        let node = try await Self.node()
        _ = try await node.mesh().addTask("10.0.0.12", weight: 0, service: "nginx")
        #expect(try await node.weightsInKernel() == [1, 0])
        _ = try await Self.add("10.0.0.13", node)
        #expect(try await node.weightsInKernel() == [10, 0, 1])
    }
}
