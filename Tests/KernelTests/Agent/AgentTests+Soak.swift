import IPVSKit
import MeshKit
import Netlink
import RuleKit
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests.AgentTests {
    /// A random damage every 200 ms: some seconds after the last, as slow as guests are, everything is as it should be, and
    /// what belongs to others is untouched.
    @Test(arguments: RuleTool.tested) func manyDamagesAreRepaired(tool: RuleTool) async throws {
        try await Self.with(tool) { mesh, tasks, agents in
            let damages =
                KernelTests.MeshTests.damages
                + (tool == .nftables ? KernelTests.MeshTests.ofNFTables : KernelTests.MeshTests.ofIPTables)
            try await mesh.damage("$NODE ip addr add 10.77.0.1/32 dev up0", task: tasks[0])
            var random = SeededGenerator.announced()
            let end = ContinuousClock.now + .seconds(soaked(60))
            var count = 0
            while ContinuousClock.now < end {
                let start = ContinuousClock.now
                // What an earlier damage has taken away cannot be damaged again.
                try? await mesh.damage(damages.randomElement(using: &random)!.0, task: tasks[0])
                count += 1
                let rest = Duration.milliseconds(200) - (ContinuousClock.now - start)
                if rest > .zero { try await Task.sleep(for: rest) }
            }
            let last = ContinuousClock.now
            var plan = try await mesh.run(["plan"], on: mesh.nodes[0])
            while plan.status == 2, ContinuousClock.now < last + .seconds(20) {
                plan = try await mesh.run(["plan"], on: mesh.nodes[0])
            }
            let time = ContinuousClock.now - last
            print("\(tool): \(count) damages, everything in order \(time.milliseconds) ms after the last")
            #expect(plan.status == 0, "\(plan)")
            for address in mesh.nodes[0].addresses {
                let answers = try await mesh.client.ask(.tcp, address, 1080, times: 2)
                #expect(answers.keys.allSatisfy { $0.hasPrefix("web") }, "\(answers)")
            }
            #expect(try await mesh.nodes[0].namespace.check("ip", "addr", "show", "up0").contains("10.77.0.1/32"))
        }
    }
}
