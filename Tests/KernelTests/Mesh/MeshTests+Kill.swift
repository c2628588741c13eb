import FakeKernel
import IPVSKit
import MeshKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests.MeshTests {
    /// Whenever a pass that puts everything up, or takes it down, is killed: the next one finishes it.
    @Test(arguments: RuleTool.tested) func aKilledPassIsFinishedByTheNext(tool: RuleTool) async throws {
        try await MeshNodes.with(rules: tool) { mesh in
            let tasks = try await mesh.tasks(on: [1, 2])
            defer { tasks.stop() }
            let node = mesh.nodes[0]
            let before = try await mesh.kernelText([tasks[0]])
            let spec = try await mesh.publishEverywhere(tasks)
            var random = SeededGenerator.announced()
            let program = try BuiltProducts.path("meshctl")
            let environment = [
                "MESHCTL_STATE_DIR": node.stateDirectory.string, "MESHCTL_RULES": tool.rawValue,
                "MESHCTL_NODE": node.name,
            ]
            for round in 1...soaked(100) {
                // A pass lasts for some 300 ms where it changes much.
                for arguments in [["reset"], ["reconcile"]] {
                    let milliseconds = Int.random(in: 20...700, using: &random)
                    if arguments == ["reconcile"] {
                        let wanted = spec
                        try await FileSpecStore(directory: node.stateDirectory).update { $0 = wanted }
                    }
                    _ = try await node.namespace.run(
                        ["timeout", "-s", "KILL", "0.\(milliseconds < 100 ? "0" : "")\(milliseconds)", program]
                            + arguments,
                        environment: environment)
                }
                let wanted = spec
                try await FileSpecStore(directory: node.stateDirectory).update { $0 = wanted }
                let finished = try await mesh.run(["reconcile"], on: node)
                #expect(finished.status == 0, "round \(round): \(finished)")
                let plan = try await mesh.run(["plan"], on: node)
                #expect(plan.status == 0, "round \(round): \(plan)")
                #expect(!plan.error.contains("does without"), "round \(round): \(finished), \(plan)")
                let answers = try await mesh.client.ask(.tcp, node.addresses[0], 1080, times: 2)
                #expect(
                    answers == ["web1 192.168.5.9 80": 1, "web2 192.168.5.9 80": 1],
                    "round \(round): \(finished), \(plan)")
            }
            for number in 1...2 { try await mesh.meshctl("reset", on: number) }
            let after = try await mesh.kernelText([tasks[0]])
            #expect(MeshNodes.difference(after, before) == "")
            #expect(try await mesh.ownNamespaces() == [])
        }
    }
}
