import FakeKernel
import IPVSKit
import RuleKit
import SystemPackage
import Testing

@testable import MeshKit

/// What an agent still does while the ledger cannot be written.
@Suite struct FullDiskTests {
    /// Two tasks with a health check.
    private static func node(_ transport: TransportProtocol = .tcp) async throws -> FakeNode {
        let node = FakeNode()
        let options = PublishOptions(healthCheck: .some(HealthCheck(transport == .tcp ? .tcp : .udp)))
        _ = try await node.mesh().change { spec, view in
            for address in ["10.0.0.11", "10.0.0.12"] as [IPAddress] {
                try spec.addTask(SpecTask(address: address), service: "web")
            }
            try spec.publish(
                PortBinding(1080, transport), target: 80, service: "web", options: options, avoiding: view.takenMarks)
        }
        return node
    }

    /// A pass of an agent. Each is of another process.
    private static func follow(_ node: FakeNode, _ unhealthy: Set<IPAddress>) async throws -> MeshChange {
        try await node.mesh().follow(
            retry: false, unhealthy: unhealthy.isEmpty ? [:] : ["web": unhealthy], checking: { _, _ in }
        ).change
    }

    private static func saysSo(_ change: MeshChange) -> Bool {
        change.plan.notes.filter { $0.contains("could not be written to the ledger") }.count == 1
    }

    @Test func aDeadTaskLosesItsShareAndGetsItBack() async throws {
        let node = try await Self.node()
        let before = try node.ledgers.load()
        node.gate.refuse("save the ledger", with: .noSpace)
        let change = try await Self.follow(node, ["10.0.0.12"])
        #expect(try await node.weightsInKernel() == [1, 0])
        #expect(Self.saysSo(change), "\(change.plan.notes)")
        #expect(change.ledger.unhealthy == ["web": ["10.0.0.12"]])
        #expect(try node.ledgers.load() == before)
        let again = try await Self.follow(node, ["10.0.0.12"])
        #expect(again.plan.isEmpty && Self.saysSo(again), "\(again.plan)")
        #expect(try await node.weightsInKernel() == [1, 0])
        _ = try await Self.follow(node, [])
        #expect(try await node.weightsInKernel() == [1, 1])
        #expect(try node.ledgers.load() == before)
    }

    /// The verdict was written before the disk was full.
    @Test func aTaskIsWellAgain() async throws {
        let node = try await Self.node()
        _ = try await Self.follow(node, ["10.0.0.12"])
        #expect(try await node.weightsInKernel() == [1, 0])
        node.gate.refuse("save the ledger", with: .noSpace)
        #expect(Self.saysSo(try await Self.follow(node, [])))
        #expect(try await node.weightsInKernel() == [1, 1])
    }

    /// A task without an answer is taken out of a UDP port, with its flows, and put back.
    @Test func flowsOfUDP() async throws {
        let node = try await Self.node(.udp)
        node.gate.refuse("save the ledger", with: .noSpace)
        _ = try await Self.follow(node, ["10.0.0.12"])
        #expect(try await node.weightsInKernel() == [1])
        _ = try await Self.follow(node, [])
        #expect(try await node.weightsInKernel() == [1, 1])
    }

    /// Once there is room, what was known is written, and the kernel and the documents agree.
    @Test func whatWasKnownIsWrittenLater() async throws {
        let node = try await Self.node()
        node.gate.refuse("save the ledger", with: .noSpace)
        _ = try await Self.follow(node, ["10.0.0.12"])
        node.gate.refuse(nil)
        let change = try await Self.follow(node, ["10.0.0.12"])
        #expect(!Self.saysSo(change), "\(change.plan.notes)")
        #expect(try node.ledgers.load()?.unhealthy == ["web": ["10.0.0.12"]])
        #expect(try await node.weightsInKernel() == [1, 0])
        #expect(try await node.mesh().plan().isEmpty)
        _ = try await node.mesh().reset()
        #expect(try await node.marksInKernel().isEmpty)
    }

    /// If the process dies meanwhile, the next one knows all that is in the kernel for its own.
    @Test func theProcessDies() async throws {
        for transport in [TransportProtocol.tcp, .udp] {
            let node = try await Self.node(transport)
            node.gate.refuse("save the ledger", with: .noSpace)
            _ = try await Self.follow(node, ["10.0.0.12"])
            node.gate.refuse(nil)
            _ = try await node.mesh().reconcile()
            #expect(try await node.weightsInKernel() == [1, 1], "no one has the verdict")
            _ = try await node.mesh().reset()
            #expect(try await node.marksInKernel().isEmpty)
        }
    }

    /// Nothing that the stored ledger does not have comes into the kernel, and what has to wait keeps no connections at a
    /// task that is dead.
    @Test func nothingNewComes() async throws {
        let node = try await Self.node()
        try await node.specs.update { try $0.addTask(SpecTask(address: "10.0.0.13"), service: "web") }
        node.gate.refuse("save the ledger", with: .noSpace)
        await #expect(throws: StoreError.self) { try await Self.follow(node, ["10.0.0.12"]) }
        #expect(try await node.weightsInKernel() == [1, 0])
    }

    /// A place that this host has refused is tried again once there is room, and keeps no verdict waiting until then.
    @Test func refusedPlacesWait() async throws {
        let node = try await Self.node()
        var ledger = try #require(try node.ledgers.load())
        ledger[.loopback].refusal = "no namespaces"
        try node.ledgers.save(ledger, replacing: ledger.generation)
        node.gate.refuse("save the ledger", with: .noSpace)
        let retry = try? await node.mesh().follow(
            retry: true, unhealthy: ["web": ["10.0.0.12"]], checking: { _, _ in })
        #expect(try await node.weightsInKernel() == [1, 0], "\(String(describing: retry?.change.plan))")
    }

    /// A command fails, and says why.
    @Test func aCommandIsRefused() async throws {
        let node = try await Self.node()
        let kernel = try await node.kernelText()
        node.gate.refuse("save the ledger", with: .noSpace)
        await #expect(throws: StoreError.self) {
            try await node.mesh().drain(.address("10.0.0.12"), service: "web")
        }
        #expect(try await node.kernelText() == kernel)
    }
}
