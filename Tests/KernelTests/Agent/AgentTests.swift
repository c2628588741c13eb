import IPVSKit
import MeshKit
import Netlink
import RuleKit
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests {
    /// `meshctl agent` on two nodes, with a port of the balancer on the network `ingress` and one of the balancer on the
    /// host.
    @Suite struct AgentTests {
        /// Two nodes with tasks, and an agent on each.
        static func with(
            _ tool: RuleTool, _ body: (MeshNodes, [MeshNodes.Task], [RunningAgent]) async throws -> Void
        ) async throws {
            try await MeshNodes.with(rules: tool) { mesh in
                let tasks = try await mesh.tasks(on: [1, 2])
                defer { tasks.stop() }
                var spec = try mesh.spec()
                try await mesh.publish(tasks, in: &spec)
                let near = try await mesh.nearTask(in: &spec)
                defer { near.stop() }
                try await mesh.withAgents(following: spec) { try await body(mesh, tasks, $0) }
            }
        }

        /// Whether the kernel tells of a damage.
        static func isTold(_ script: String, _ tool: RuleTool) -> Bool {
            !["ipvsadm", "ipset ", "route_localnet", "net.ipv4.vs"].contains { script.contains($0) }
        }

        /// Each damage is repaired: where the kernel tells of it because it tells of it, and else by the period.
        @Test(arguments: RuleTool.tested) func damageIsRepairedByTheAgent(tool: RuleTool) async throws {
            try await Self.with(tool) { mesh, tasks, agents in
                let damages =
                    MeshTests.damages + (tool == .nftables ? MeshTests.ofNFTables : MeshTests.ofIPTables)
                var (told, untold): ([Duration], [Duration]) = ([], [])
                var (all, unheard): ([String], [String]) = ([], [])
                for (script, name) in damages {
                    // The pass that follows a repair is over by then.
                    try await Task.sleep(for: .milliseconds(600))
                    let before = try agents[0].logged
                    try await mesh.damage(script, task: tasks[0])
                    var line = ""
                    let time = try await agents[0].until("\(script): \(name)") {
                        let lines = try agents[0].text(from: before).split(separator: "\n")
                        line = lines.first { $0.contains(name) }.map(String.init) ?? ""
                        return !line.isEmpty
                    }
                    if Self.isTold(script, tool) { told.append(time) } else { untold.append(time) }
                    if Self.isTold(script, tool), !line.contains("cause=\"kernel: ") { unheard.append(script) }
                    all.append("\(time.milliseconds) ms \(script.split(separator: "\n").first ?? "")")
                    let answers = try await mesh.client.ask(.tcp, mesh.nodes[0].addresses[0], 1080, times: 2)
                    #expect(
                        answers.values.reduce(0, +) == 2 && answers.keys.allSatisfy { $0.hasPrefix("web") },
                        "\(script): \(answers)")
                }
                try await mesh.expectNothingPlanned()
                print(
                    "\(tool): repaired after the end of the damaging command, where the kernel tells: \(told.summary); "
                        + "where it does not: \(untold.summary)")
                print(all.joined(separator: "\n"))
                // Now and then the period comes first.
                #expect(unheard.count * 4 <= told.count, "\(unheard)")
                #expect((told + untold).max() ?? .zero < .seconds(10), "\(all)")
            }
        }
    }
}

extension Duration {
    var milliseconds: Int { Int(self / .milliseconds(1)) }
}

extension [Duration] {
    var median: Duration { isEmpty ? .zero : sorted()[count / 2] }
    var summary: String {
        "\(count) damages, median \(median.milliseconds) ms, most \((self.max() ?? .zero).milliseconds) ms"
    }
}
