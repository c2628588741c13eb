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

extension KernelTests.AgentTests {
    /// A port of each balancer, by each node.
    private static func targets(_ mesh: MeshNodes) -> [(address: IPAddress, port: UInt16, answer: String)] {
        mesh.nodes.map { ($0.addresses[0], 1080, "web") } + [(mesh.nodes[0].addresses[0], 1081, "near ")]
    }

    /// Killed at any moment, also beside a command that is killed, the agent leaves traffic alone and nothing over which
    /// the next one trips: its first pass makes everything as it should be.
    @Test(arguments: RuleTool.tested) func aKilledAgentCostsNoRequest(tool: RuleTool) async throws {
        try await Self.with(tool) { mesh, tasks, agents in
            let traffic = SteadyTraffic()
            let (client, targets) = (mesh.client, Self.targets(mesh))
            async let ended: Void = traffic.run(from: client, targets)
            defer { traffic.end() }
            var random = SeededGenerator.announced()
            let node = mesh.nodes[0]
            var agent = agents[0]
            let rounds = soaked(200)
            var wasKilled = false
            for round in 1...rounds {
                let delay = Int.random(in: 0...600, using: &random)
                let command = round.isMultiple(of: 2) ? ["unpublish", "1090"] : ["publish", "1090:80", "nginx"]
                let killsCommand = Int.random(in: 0...2, using: &random) == 0
                traffic.now("round \(round), \(command), \(delay) ms")
                if Bool.random(using: &random) {
                    try await mesh.damage("$NODE ip link set mesh_sbox alias nobody", task: tasks[0])
                }
                let killer =
                    killsCommand ? ["timeout", "-s", "KILL", "0.\(String(1000 + max(delay, 10)).dropFirst())"] : []
                let (program, environment) = (try BuiltProducts.path("meshctl"), mesh.environment(of: node))
                async let ran = node.namespace.run(killer + [program] + command, environment: environment)
                try await Task.sleep(for: .milliseconds(delay))
                agent.signal(SIGKILL)
                let result = try await ran
                // The agent was doing the command's work, and nobody knows how far it got.
                let isLost = result.status == 1 && result.error.contains("ended before it answered")
                // A port that a killed command did not publish cannot be unpublished.
                let mayFind = wasKilled ? [0, 65] : [0]
                if !killsCommand, !isLost { #expect(mayFind.contains(Int(result.status)), "\(result)") }
                wasKilled = killsCommand || isLost
                #expect(try await agent.ended() == 137)
                if Bool.random(using: &random) {
                    agent = try await RunningAgent(on: node, of: mesh)
                    let plan = try await mesh.run(["plan"], on: node)
                    #expect(plan.status == 0, "round \(round): \(plan)")
                } else {
                    try await mesh.meshctl("reconcile", on: 1)
                    let plan = try await mesh.run(["plan"], on: node)
                    #expect(plan.status == 0, "round \(round): \(plan)")
                    agent = try await RunningAgent(on: node, of: mesh)
                }
            }
            traffic.end()
            try await ended
            print(
                "\(tool): the agent was killed \(rounds) times, \(traffic.count) requests, \(traffic.lost.count) lost")
            #expect(traffic.lost == [] && traffic.count > rounds * 3)
            try await agent.stop()
        }
    }

    /// SIGTERM and SIGINT end it within a second with status 0, and whatever the kernel holds stays.
    @Test(arguments: RuleTool.tested) func aStoppedAgentLeavesTrafficAlone(tool: RuleTool) async throws {
        try await Self.with(tool) { mesh, tasks, agents in
            let traffic = SteadyTraffic()
            let (client, targets) = (mesh.client, Self.targets(mesh))
            async let ended: Void = traffic.run(from: client, targets)
            defer { traffic.end() }
            let before = try await mesh.kernelText(tasks)
            for (agent, signal) in zip(agents, [SIGTERM, SIGINT]) {
                traffic.now("signal \(signal)")
                let start = ContinuousClock.now
                agent.signal(signal)
                #expect(try await agent.ended() == 0)
                let time = ContinuousClock.now - start
                print("\(tool): ended \(time.milliseconds) ms after signal \(signal)")
                #expect(time < .seconds(1))
                #expect(try agent.text().contains("the agent ends"))
            }
            let after = try await mesh.kernelText(tasks)
            #expect(MeshNodes.difference(after, before) == "")
            let count = traffic.count
            while traffic.count < count + 20 { try await Task.sleep(for: .milliseconds(50)) }
            traffic.end()
            try await ended
            #expect(traffic.lost == [])
            try await mesh.expectNothingPlanned()
        }
    }

    /// A second agent of the same state ends with status 1, and the first goes on. A damaged document is named once, and
    /// followed again as soon as it is whole.
    @Test func aSecondAgentAndADamagedDocumentStopNothing() async throws {
        let tool = RuleTool.tested[0]
        try await Self.with(tool) { mesh, _, agents in
            let node = mesh.nodes[0]
            let second = try await mesh.run(["agent"], on: node)
            #expect(second.status == 1 && second.error.contains("another agent"), "\(second)")
            let file = node.stateDirectory.appending("mesh.json")
            let text = try file.text()
            try file.write("{")
            try await agents[0].until("the fault") { try agents[0].text().contains("is damaged") }
            try await Task.sleep(for: .seconds(3))
            #expect(try agents[0].text().split(separator: "\n").count { $0.contains("is damaged") } == 1)
            let answers = try await mesh.client.ask(.tcp, node.addresses[0], 1080, times: 2)
            #expect(answers.keys.allSatisfy { $0.hasPrefix("web") }, "\(answers)")
            try file.write(text)
            try await agents[0].until("the end of the fault") { try agents[0].text().contains("what it should again") }
            try await agents[0].stop()
            // At the start it is an error like that of any command.
            try file.write("{")
            let refused = try await mesh.run(["agent"], on: node)
            #expect(refused.status == 65 && refused.error.contains("is damaged"), "\(refused)")
        }
    }

    /// A command whose work the agent does waits for no more than a pass. Here both share one processor with the agent of another
    /// node, whose passes take as long as a command's.
    @Test(arguments: RuleTool.tested) func commandsWorkBesideAnAgent(tool: RuleTool) async throws {
        try await Self.with(tool) { mesh, _, agents in
            func time(_ arguments: [String]) async throws -> Duration {
                let start = ContinuousClock.now
                let ran = try await mesh.run(arguments, on: mesh.nodes[0])
                // On a busy machine a pass takes more than the second after which a command says that it waits.
                #expect(ran.status == 0, "\(ran)")
                return ContinuousClock.now - start
            }
            func times() async throws -> [Duration] {
                var times: [Duration] = []
                for number in 1...10 {
                    times.append(try await time(["publish", "\(2000 + number):80", "nginx"]))
                    times.append(try await time(["status"]))
                    times.append(try await time(["unpublish", "\(2000 + number)"]))
                }
                return times
            }
            let beside = try await times()
            for agent in agents { try await agent.stop() }
            let alone = try await times()
            print(
                "\(tool): commands beside an agent: median \(beside.median.milliseconds) ms, most "
                    + "\(beside.max()!.milliseconds) ms; without: median \(alone.median.milliseconds) ms, most "
                    + "\(alone.max()!.milliseconds) ms")
            #expect(beside.max()! < alone.max()! * 4 + .seconds(1))
        }
    }
}
