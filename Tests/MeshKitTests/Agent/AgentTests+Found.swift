import FakeKernel
import IPVSKit
import Netlink
import RuleKit
import SystemPackage
import TestSupport
import Testing

@testable import MeshKit

/// Tasks that a source has found.
extension AgentTests {
    /// A container comes with a label, is found to be ill, and goes.
    @Test func tasksThatASourceHasFound() async throws {
        let running = Running()
        try await running.withAgent(limits: Self.patient) { _ in
            var task = FoundTask("web1", services: ["web"])
            task.makesService = true
            task.addresses = ["10.0.0.11"]
            task.ports = [.init(listening: PortBinding(21080, .tcp), target: 80)]
            try await running.source.tell(.tasks([task]))
            try await running.until("the port being served") { try await running.isServing }
            let spec = try await running.node.specs.load()
            #expect(
                spec.services["web"]?.tasks.map(\.origin) == [
                    Origin("docker", on: spec.services["web"]!.tasks[0].node!)
                ])
            try await running.until("the line") {
                running.lines.withLock { $0.contains { $0.hasPrefix("info mesh: + service web, task 10.0.0.11") } }
            }
            try await running.source.tell(.unreachable("it is down"))
            try await running.until("the warning") {
                running.lines.withLock { $0.contains { $0.hasPrefix("warning docker cannot be asked for tasks") } }
            }
            #expect(try await running.isServing)
            try await running.source.tell(.tasks([]))
            try await running.until("the port being gone") { try await !running.isServing }
            #expect(try await running.node.specs.load().services.isEmpty)
        }
    }

    /// A task with a label that names its service.
    private static func task(_ name: String, _ address: IPAddress, of service: String = "nginx") -> FoundTask {
        var task = FoundTask(name, services: [service])
        task.makesService = true
        task.addresses = [address]
        return task
    }

    /// While nothing can be saved, the kernel is kept as it is; what was found is taken over afterwards.
    @Test func tasksThatCannotBeTakenOver() async throws {
        let running = Running()
        try await running.publish()
        try await running.withAgent(limits: Self.patient) { _ in
            var task = Self.task("web1", "10.0.0.12", of: "web")
            try await running.source.tell(.tasks([task]))
            func found() async throws -> SpecTask? { try await running.node.specs.load().services["web"]?.tasks.first }
            try await running.until("the task") { try await found()?.isUnhealthy == false }
            running.node.gate.refuse("swap the spec", with: .noSpace)
            task.isHealthy = false
            try await running.source.tell(.tasks([task]))
            try await running.until("the warning") {
                running.lines.withLock { $0.contains { $0.contains("the tasks that were found cannot be taken over") } }
            }
            #expect(try await running.isServing)
            running.node.gate.refuse(nil)
            running.news.post(AgentNews(documents: true))
            try await running.until("its health") { try await found()?.isUnhealthy == true }
        }
    }

    /// A failure that passes puts nobody off.
    @Test func aTaskIsTriedTwice() async throws {
        let running = Running()
        try await running.publish()
        try await running.withAgent(limits: Self.patient) { _ in
            running.node.gate.begin(failing: (1, .noSpace))
            try await running.source.tell(.tasks([Self.task("web1", "10.0.0.12", of: "web")]))
            try await running.until("the task") { try await running.node.specs.load().services["web"] != nil }
        }
    }

    /// A container whose wishes this node refuses keeps no other one from coming and going, and is tried again.
    @Test func oneTaskThatCannotBeTakenOver() async throws {
        let running = Running()
        try await running.publish()
        try await running.withAgent(limits: Self.patient) { _ in
            let (leaving, staying) = (Self.task("a", "10.0.0.12"), Self.task("b", "10.0.0.13"))
            try await running.source.tell(.tasks([leaving, staying]))
            try await running.until("the first tasks") {
                try await running.node.specs.load().services["nginx"]?.tasks.count == 3
            }
            var bad = Self.task("bad", "10.0.0.14", of: "bad")
            bad.ports = [.init(listening: PortBinding(9443, .tcp), target: 443)]
            var ill = staying
            ill.isHealthy = false
            running.node.gate.refuse("9443", with: .notSupported)
            try await running.source.tell(.tasks([bad, ill, Self.task("c", "10.0.0.15"), Self.task("d", "10.0.0.16")]))
            try await running.until("the others") {
                let tasks = try await running.node.specs.load().services["nginx"]?.tasks ?? []
                return Set(tasks.map(\.address)) == ["10.0.0.11", "10.0.0.13", "10.0.0.15", "10.0.0.16"]
            }
            try await running.until("the warning") {
                running.lines.withLock { $0.contains { $0.contains("what docker says of bad is not taken over") } }
            }
            let spec = try await running.node.specs.load()
            #expect(spec.services["bad"] == nil)
            #expect(spec.services["nginx"]?.tasks.first { $0.address == "10.0.0.13" }?.isUnhealthy == true)
            // While it is put off, the next one needs no second try.
            running.passes.withLock { $0 = [] }
            running.node.gate.begin()
            running.node.gate.refuse("9443", with: .notSupported)
            try await running.source.tell(.tasks([bad, ill, Self.task("c", "10.0.0.15")]))
            try await running.until("one less") {
                try await running.node.specs.load().services["nginx"]?.tasks.count == 3
            }
            #expect(running.node.gate.operations.count { $0 == "swap the spec" } == 1)
        }
    }
}
