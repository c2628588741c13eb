import IPVSKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

@testable import MeshKit

extension KernelTests.MeshTests {
    /// A thousand tasks on twenty nodes, of which nineteen are entries of the spec alone: one more task costs the same
    /// among a thousand as among ten, and a pass with nothing to do writes nothing. How long such a pass takes is printed
    /// only, since these tests are not optimised.
    @Test(arguments: RuleTool.tested) func aThousandTasksOnTwentyNodes(tool: RuleTool) async throws {
        try await Topology.with { topology in
            let mesh = try Mesh(
                store: FileSpecStore(directory: topology.directory), ledger: LedgerFile(directory: topology.directory),
                ipvs: IPVS(), tool: tool, nodeName: "node1")
            do {
                try await measure(mesh, tool)
            } catch {
                _ = try? await mesh.reset()
                throw error
            }
            _ = try await mesh.reset()
        }
    }

    private func measure(_ mesh: Mesh, _ tool: RuleTool) async throws {
        _ = try await mesh.change { spec, _ in
            for number in 1...20 { try spec.addNode("node\(number)", address: IPAddress("192.0.2.\(number)")!) }
            try spec.ensureIngress(node: "node1")
            try spec.attachTasks(0..<10)
            try spec.publish(PortBinding(1080, .tcp), target: 80, service: "web0")
        }
        let amongTen = try await mesh.change { spec, _ in try spec.attachTasks(10..<11) }
        _ = try await mesh.change { spec, _ in try spec.attachTasks(11..<1000) }
        let amongThousand = try await mesh.change { spec, _ in try spec.attachTasks(1000..<1001) }
        #expect(!amongTen.plan.isEmpty && amongThousand.plan.steps.count == amongTen.plan.steps.count)

        let request = mesh.request(try await mesh.store.load(), try #require(try mesh.ledgers.load()))
        var (readings, passes): ([Duration], [Duration]) = ([], [])
        let clock = ContinuousClock()
        for _ in 0..<5 {
            readings.append(
                try await clock.measure { _ = try await mesh.observer.observe(request, tool: tool) })
            passes.append(
                try await clock.measure {
                    let change = try await mesh.reconcile()
                    #expect(change.plan.isEmpty && !change.didChange)
                })
        }
        let (reading, pass) = (readings.sorted()[2], passes.sorted()[2])
        print("an idle pass over 1,001 tasks by \(tool): \(pass), of which reading takes \(reading)")
    }
}

extension MeshSpec {
    /// Attaches tasks in turn to the nodes from the second on, and to ten services.
    fileprivate mutating func attachTasks(_ numbers: Range<Int>) throws {
        for number in numbers {
            try attach(
                TaskAttachmentRequest(namespace: "/run/netns/task\(number)", node: "node\(2 + number % 19)"),
                service: "web\(number % 10)")
        }
    }
}
