import IPVSKit
import MeshKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests.AgentTests {
    /// The agent answers at its socket and at an address, counts what the kernel counts, tells of a repair, and ends within
    /// a second although somebody listens.
    @Test func anAgentAnswersByHTTP() async throws {
        try await Self.with(RuleTool.tested[0]) { mesh, tasks, agents in
            let node = mesh.nodes[0]
            try await agents[0].stop()
            let agent = try await RunningAgent(on: node, of: mesh, options: "--metrics 127.0.0.1:9809")
            let socket = node.stateDirectory.appending("agent.sock")
            #expect(try await Shell.check("stat", "-c", "%a %F", socket.string) == "600 socket\n")
            func ask(_ path: String) async throws -> String {
                try await Shell.check("curl", "-sS", "--unix-socket", socket.string, "http://localhost\(path)")
            }
            let printed = try await mesh.run(["status", "--format", "json"], on: node)
            #expect(try await ask("/v1/status") == printed.output)
            #expect(try await ask("/v1/plan").contains(#""changes""#))
            #expect(try await ask("/readyz").hasPrefix("The kernel holds what it should"))
            _ = try await mesh.client.ask(.tcp, node.addresses[0], 1080, times: 4)
            // The kernel's estimator adds up its counters every two seconds.
            try await Task.sleep(for: .seconds(5))
            let metrics = try await node.namespace.run(["curl", "-sS", "http://127.0.0.1:9809/metrics"])
            #expect(metrics.output.contains("\nmeshctl_observed 1\n") && metrics.output.contains("\nmeshctl_ready 1\n"))
            #expect(
                metrics.output.split(separator: "\n").contains {
                    $0.hasPrefix("meshctl_port_connections_total{") && $0.contains(#"port="1080""#)
                        && !$0.hasSuffix(" 0")
                }, "\(metrics)")
            // Each observation has its own way into the places, and leaves nothing open there.
            func open() async throws -> Int {
                let list = try await Shell.check("ls", "/proc/\(agent.process)/fd")
                return list.split(separator: "\n").count
            }
            let before = try await open()
            for _ in 0..<5 {
                _ = try await ask("/metrics")
                try await Task.sleep(for: .milliseconds(1100))
            }
            let after = try await open()
            #expect(after <= before + 3, "\(before) descriptors, then \(after)")
            let events = mesh.topology.directory.appending("events")
            let command = "\(try BuiltProducts.path("meshctl")) events --socket \(socket) >\(events) 2>&1"
            async let listener = Shell.run(["sh", "-c", command])
            try await Task.sleep(for: .seconds(2))
            try await mesh.damage("$NODE ip link set mesh_sbox alias nobody", task: tasks[0])
            try await agent.until("the event") { try events.text().contains("cause=") }
            let start = ContinuousClock.now
            agent.signal(SIGTERM)
            #expect(try await agent.ended() == 0)
            let time = ContinuousClock.now - start
            print("ended \(time.milliseconds) ms after SIGTERM with a listener")
            #expect(time < .seconds(1))
            #expect(try await listener.status == 69)
            #expect(try events.text().hasSuffix("has ended\n"))
            #expect(access(socket.string, F_OK) != 0, "the socket is gone")
        }
    }

    /// A socket may be named by a path from the working directory.
    @Test func anAgentAnswersInItsWorkingDirectory() async throws {
        try await MeshHost.with(tasks: 0) { host in
            try await host.meshctl("task", "add", "nginx", "10.0.0.2")
            let script = "cd \(host.stateDirectory) && exec timeout 3 \"$0\" agent --no-containers --socket rel.sock"
            let ran = try await host.node.run(
                ["sh", "-c", script, try BuiltProducts.path("meshctl")],
                environment: ["MESHCTL_STATE_DIR": host.stateDirectory.string, "MESHCTL_RULES": host.tool.rawValue])
            #expect(ran.error.contains("the agent answers address=rel.sock"), "\(ran)")
        }
    }

    /// A client publishes a port, sees what would change, is told of its mistakes, and takes the port back.
    @Test func aClientChangesTheMesh() async throws {
        try await Self.with(RuleTool.tested[0]) { mesh, _, _ in
            let node = mesh.nodes[0]
            let socket = node.stateDirectory.appending("agent.sock").string
            func post(_ path: String, _ body: String = "") async throws -> String {
                try await Shell.check(
                    "curl", "-sS", "--unix-socket", socket, "--data-binary", body, "http://localhost\(path)")
            }
            let port = #"{"services": {"nginx": {"ports": [{"publish": "2080:80"}]}}}"#
            let told = try await post("/v1/apply?dry-run=true", port)
            #expect(told.contains(#""changed" : false"#) && told.contains("2080"), "\(told)")
            #expect(try await mesh.client.ask(.tcp, node.addresses[0], 2080) == ["Connection refused": 1])
            let made = try await post("/v1/apply", port)
            #expect(made.contains(#""changed" : true"#), "\(made)")
            let answers = try await mesh.client.ask(.tcp, node.addresses[0], 2080, times: 4)
            #expect(answers.keys.allSatisfy { $0.hasPrefix("web") }, "\(answers)")
            try await mesh.expectNothingPlanned()
            let pass = try await post("/v1/reconcile")
            #expect(pass.contains(#""changed" : false"#), "\(pass)")

            let mistake = try await post("/v1/apply", #"{"services": {"nginx": {"ports": [{"publish": "99999:80"}]}}}"#)
            #expect(mistake.contains("the request's body:1:"), "\(mistake)")
            // What a command has changed meanwhile is not lost.
            let whole = try await Shell.check("curl", "-sS", "--unix-socket", socket, "http://localhost/v1/mesh")
            #expect(try await mesh.meshctl("export", "--format", "json", on: 1) == whole)
            try await mesh.meshctl("unpublish", "2080", on: 1)
            #expect(try await post("/v1/apply", whole).contains("which is newer"))
            #expect(try await mesh.client.ask(.tcp, node.addresses[0], 2080) == ["Connection refused": 1])
        }
    }
}
