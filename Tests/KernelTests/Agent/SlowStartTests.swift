import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

extension KernelTests {
    /// A slow start by the agent, in the kernel.
    @Suite struct SlowStartTests {
        /// The weights of the tasks in the sandbox of the first node, by address, without those of other families and
        /// ports, which are the same.
        private static func weights(_ mesh: MeshNodes) async throws -> [IPAddress: UInt32] {
            let table = try await IPVS(in: .named("ingress_sbox-\(mesh.nodes[0].name)")).table()
            guard let entry = table.entries.values.first(where: { $0.service.id.family == .ipv4 }) else { return [:] }
            return Dictionary(uniqueKeysWithValues: entry.destinations.values.map { ($0.id.address, $0.weight) })
        }

        /// A task that is attached beside an agent gets a tenth of its share at first, then more and more, and all of it
        /// after four seconds; the other one goes on with its own.
        @Test(arguments: RuleTool.tested) func aNewTaskGetsItsShareInSteps(tool: RuleTool) async throws {
            try await MeshNodes.with(1, rules: tool) { mesh in
                let tasks = try await mesh.tasks(on: [1, 1])
                defer { tasks.stop() }
                var spec = try mesh.spec()
                try await mesh.publish([tasks[0]], in: &spec)
                try spec.setOptions(PublishOptions(scheduler: .weightedRoundRobin), ofService: "nginx")
                try await mesh.withAgents(following: spec) { agents in
                    try await mesh.meshctl("service", "set", "nginx", "--slow-start", "4s", on: 1)
                    let old = try #require(try await Self.weights(mesh).keys.first)
                    #expect(try await Self.weights(mesh) == [old: 1])

                    let start = ContinuousClock.now
                    try await mesh.meshctl("task", "attach", "nginx", "--netns", tasks[1].path, on: 1)
                    let list = try await mesh.meshctl("task", "ls", "nginx", on: 1)
                    #expect(list.contains("1, starting slowly"), "\(list)")

                    // Each look is a pair: the weight of the old task, and that of the new one.
                    var seen: [[UInt32]] = []
                    while seen.last != [1, 1], ContinuousClock.now < start + .seconds(30) {
                        let weights = try await Self.weights(mesh)
                        let new = weights.filter { $0.key != old }.values.first
                        let pair = [weights[old] ?? 0, new ?? 0]
                        if seen.last != pair { seen.append(pair) }
                        try await Task.sleep(for: .milliseconds(20))
                    }
                    let log = try agents[0].text()
                    #expect(seen.last == [1, 1], "\(seen)\n\(log)")
                    #expect(ContinuousClock.now - start > .seconds(3), "\(seen)")
                    // The weights of the two are not written at the same moment, so that a look may see one alone.
                    let steps = seen.filter { $0[0] == 10 }.map { $0[1] }
                    #expect(steps == steps.sorted() && steps.allSatisfy { (1...10).contains($0) }, "\(seen)")
                    #expect(Set(steps).count >= 4, "a slow machine may leave steps out: \(seen)")
                    #expect(log.contains("starts slowly no more"), "\(log)")
                    try await mesh.expectNothingPlanned("at the end")
                }
            }
        }
    }
}
