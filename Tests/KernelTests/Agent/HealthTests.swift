import IPVSKit
import MeshKit
import Netlink
import RuleKit
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests {
    /// Health checks by the agents of two nodes, of tasks on the network `ingress`, and of one behind the first node.
    @Suite struct HealthTests {
        /// Two attached tasks whose servers a test starts and stops, one on each node, and an agent on each.
        private static func with(
            _ tool: RuleTool, check: String,
            _ body: (MeshNodes, [MeshNodes.Task], [WebServer], [RunningAgent]) async throws -> Void
        ) async throws {
            try await MeshNodes.with(rules: tool) { mesh in
                let tasks = try await [mesh.task("web1", on: 1), mesh.task("web2", on: 2)]
                var servers: [WebServer] = []
                for task in tasks {
                    servers.append(
                        try await WebServer(
                            task.name, in: task.namespace, below: mesh.topology.directory, seconds: 1))
                }
                var spec = try mesh.spec()
                try await mesh.publish(tasks, in: &spec)
                try spec.setOptions(PublishOptions(healthCheck: .some(try HealthCheck(check))), ofService: "nginx")
                try await mesh.withAgents(following: spec) { try await body(mesh, tasks, servers, $0) }
                for server in servers { try? await server.stop() }
            }
        }

        /// Waits until new connections by each node go to these tasks and nobody else.
        private static func expect(_ names: Set<String>, _ mesh: MeshNodes, _ when: String) async throws {
            for node in mesh.nodes {
                for address in node.addresses {
                    var seen: Set<String> = []
                    for _ in 0..<100 {
                        seen = Set(try await mesh.client.thread { (0..<4).map { _ in WebConnection.answer(address) } })
                        if seen == names { break }
                        try await Task.sleep(for: .milliseconds(200))
                    }
                    #expect(seen == names, "\(when), by \(address)")
                }
            }
        }

        /// A server that ends gets no new connections on either node, and is back once it serves again. When all have
        /// ended, all are used.
        @Test(arguments: RuleTool.tested) func aServerThatEnds(tool: RuleTool) async throws {
            let check = "http:/,interval=1s,timeout=1s,fall=2,rise=1"
            try await Self.with(tool, check: check) { mesh, tasks, servers, agents in
                try await Self.expect(["web1", "web2"], mesh, "at first")
                let before = try agents.map { try $0.logged }
                try await servers[0].stop()
                for (agent, before) in zip(agents, before) {
                    try await agent.until("the verdict") { try agent.text(from: before).contains("is not healthy") }
                }
                try await Self.expect(["web2"], mesh, "without web1")
                let list = try await mesh.meshctl("task", "ls", "nginx", on: 1)
                #expect(list.contains("1, unhealthy"), "\(list)")
                let set = try await mesh.run(["service", "set", "nginx", "--health", check], on: mesh.nodes[0])
                #expect(set.status == 0 && !set.error.contains("nobody probes"), "\(set)")
                // Commands know of it, and do not undo it.
                try await mesh.expectNothingPlanned("without web1")
                try await mesh.meshctl("service", "set", "nginx", "--drain", "1m", on: 1)
                try await Self.expect(["web2"], mesh, "after a command")

                try await servers[1].stop()
                for agent in agents {
                    try await agent.until("panic") { try agent.text().contains("no task of service nginx is healthy") }
                }
                try await servers[0].start()
                try await Self.expect(["web1"], mesh, "with web1 alone")
                try await servers[1].start()
                try await Self.expect(["web1", "web2"], mesh, "with both again")
                try await mesh.expectNothingPlanned("at the end")
            }
        }

        /// Whoever gives a service a health check learns that nobody carries it out without an agent.
        @Test func withoutAnAgentNobodyProbes() async throws {
            try await MeshHost.with(tasks: 0) { host in
                for arguments in [
                    ["service", "create", "nginx", "--health", "tcp"], ["service", "set", "nginx", "--health", "udp"],
                    ["publish", "1080:80", "nginx", "--health", "tcp"],
                ] {
                    let ran = try await host.meshctl(arguments)
                    #expect(ran.status == 0, "\(ran)")
                    #expect(
                        ran.error.contains("meshctl: no agent answers at \(host.stateDirectory)/agent.sock, so nobody"),
                        "\(ran)")
                }
                for arguments in [
                    ["service", "set", "nginx", "--health", "tcp", "--dry-run"],
                    ["service", "set", "nginx", "--health", "off"],
                ] {
                    let ran = try await host.meshctl(arguments)
                    #expect(ran.status == 0 && !ran.error.contains("no agent"), "\(ran)")
                }
            }
        }

        /// Probes come from the namespace of the balancer: a listener of the node's own at the same address is none of the
        /// task's.
        @Test(arguments: RuleTool.tested) func anotherListenerAtTheSameAddress(tool: RuleTool) async throws {
            try await Self.with(tool, check: "tcp,interval=1s,timeout=1s,fall=1,rise=1") {
                mesh, tasks, servers, agents in
                let list = try await mesh.meshctl("task", "ls", "nginx", "--format", "json", on: 1)
                let address = try #require(
                    ["10.255.0.4", "10.255.0.5", "10.255.0.6", "10.255.0.7"].first { list.contains("\"\($0)\"") })
                let node = mesh.nodes[0].namespace
                try await node.ip(["addr add \(address)/32 dev lo"])
                let impostor = try await Responder(
                    "impostor", in: node, on: [.init(transport: .tcp, number: 80)], at: IPAddress(address))
                defer { impostor.stop() }
                try await servers[0].stop()
                // A probe that was under way when the server ended may still have been answered; after that none is.
                try await Task.sleep(for: .seconds(2))
                let healthy = "task \(address) of service nginx is healthy"
                try await agents[0].until("the verdict") {
                    let verdicts = try agents[0].text().matches(of: /task (\S+) of service nginx is (not )?healthy/)
                    return verdicts.last { $0.1 == address }?.2 != nil
                }
                let before = try agents[0].logged
                try await Task.sleep(for: .seconds(3))
                let (all, after) = (try agents[0].text(), try agents[0].text(from: before))
                #expect(!after.contains(healthy), "\(all)")
            }
        }
    }
}
