import IPVSKit
import MeshKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

/// What docs/operations.md tells an operator to do.
extension KernelTests.MeshTests {
    /// A node is drained and rebooted, and another is removed for good: the ports of the others go on to answer.
    @Test(arguments: RuleTool.tested) func aNodeIsTakenOutOfService(tool: RuleTool) async throws {
        try await MeshNodes.with(3, rules: tool) { mesh in
            let tasks = try await published(mesh, on: [1, 2])
            defer { tasks.stop() }
            try await mesh.meshctl("task", "drain", "nginx", "--node", "node2", on: 2)
            try await mesh.pass(from: 2, to: [1, 3])
            try await mesh.meshctl("task", "drain", "nginx", "--node", "node2", "--wait", on: 2)
            for node in 1...3 { try await answers(of: mesh, by: node, are: ["web1"]) }
            try await mesh.meshctl("task", "undrain", "nginx", "--node", "node2", on: 2)
            try await mesh.pass(from: 2, to: [1, 3])
            for node in 1...3 { try await answers(of: mesh, by: node, are: ["web1", "web2"]) }

            try await mesh.meshctl("task", "detach", "nginx", "--node", "node2", "--wait", on: 1)
            try await mesh.meshctl("node", "rm", "node2", on: 1)
            try await mesh.pass(from: 1, to: [3])
            try await mesh.meshctl("reset", on: 2)
            for node in [1, 3] {
                try await answers(of: mesh, by: node, are: ["web1"])
                #expect(try await mesh.run(["plan"], on: mesh.nodes[node - 1]).status == 0)
            }
        }
    }

    /// The state folder of a node is lost, and it takes the mesh from another; then the node gets another name.
    @Test(arguments: RuleTool.tested) func aNodeIsRestoredAndRenamed(tool: RuleTool) async throws {
        try await MeshNodes.with(rules: tool) { mesh in
            let tasks = try await published(mesh, on: [1, 2])
            defer { tasks.stop() }
            let node = mesh.nodes[1]
            try await Shell.check("rm", "-r", node.stateDirectory.string)
            try await mesh.meshctl("reset", "--all", "--node", "node2", on: 2)
            try await mesh.pass(from: 1, to: [2])
            for node in 1...2 { try await answers(of: mesh, by: node, are: ["web1", "web2"]) }
            try await mesh.expectNothingPlanned("after the state was lost")

            let file = mesh.topology.directory.appending("mesh.yaml")
            try file.write(try await mesh.meshctl("export", on: 2))
            try await mesh.meshctl("reset", on: 2)
            try await Shell.check("sed", "-i", "/^edits:/!s/\\bnode2\\b/web2/", file.string)
            try await mesh.meshctl("apply", "-f", file.string, on: 1)
            try file.write(try await mesh.meshctl("export", on: 1))
            let environment = mesh.environment(of: node).merging(["MESHCTL_NODE": "web2"]) { $1 }
            let program = try BuiltProducts.path("meshctl")
            let applied = try await node.namespace.run(
                [program, "apply", "-f", file.string], environment: environment)
            try #require(applied.status == 0, "\(applied)")
            for node in 1...2 { try await answers(of: mesh, by: node, are: ["web1", "web2"]) }
            for (name, variables) in [("node1", mesh.environment(of: mesh.nodes[0])), ("web2", environment)] {
                let plan = try await mesh.nodes[name == "node1" ? 0 : 1].namespace.run(
                    [program, "plan"], environment: variables)
                #expect(plan.status == 0, "\(name): \(plan)")
            }
            // The test's own end knows the node by its former name.
            let reset = try await node.namespace.run([program, "reset"], environment: environment)
            #expect(reset.status == 0, "\(reset)")
        }
    }

    private func published(_ mesh: MeshNodes, on nodes: [Int]) async throws -> [MeshNodes.Task] {
        let tasks = try await mesh.tasks(on: nodes)
        try await mesh.publishEverywhere(tasks)
        return tasks
    }

    /// Expects which tasks answer by a node's port.
    private func answers(of mesh: MeshNodes, by node: Int, are names: Set<String>) async throws {
        let answers = try await mesh.client.ask(.tcp, mesh.nodes[node - 1].addresses[0], 1080, times: 4)
        #expect(
            Set(answers.keys.map { String($0.prefix { $0 != " " }) }) == names, "by node\(node): \(answers)")
    }
}
