import IPVSKit
import MeshKit
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// The agent finds containers by itself.
extension KernelTests.DockerTests {
    /// A container with labels and no command at all: its port answers, it is left out as soon as it is told to end, ill
    /// health keeps it from new connections, and what was found last stays when dockerd is killed.
    @Test(arguments: RuleTool.tested) func containersAreFound(tool: RuleTool) async throws {
        try await DockerHost.with(rules: tool, options: "--live-restore") { docker, host in
            let nodes = try await DockerNodes(host)
            let agent = try await nodes.agent(on: 1, following: docker)
            let labels = ["meshctl.service=web", "meshctl.publish=1080:80", "meshctl.drain=30s"]
            var times: [String] = []

            /// Runs the body, and gives the time until the agent's mesh has so many tasks.
            func untilTasks(_ count: Int, _ what: String, _ body: () async throws -> Void) async throws {
                try await body()
                let start = ContinuousClock.now
                try await eventually {
                    try await nodes.meshctl("status", "--format", "json", on: 1).contains(
                        "\"tasksInKernel\" : \(count)")
                }
                times.append("\(what) \((ContinuousClock.now - start) / .milliseconds(1)) ms")
                // dockerd, the agent, and the commands that ask have one processor between them, and the first container
                // also brings the mesh up. The times themselves are printed.
                #expect(ContinuousClock.now - start < .seconds(3), "\(what)")
            }
            try await untilTasks(1, "started") { try await docker.startServer("web1", labels: labels) }
            try await untilTasks(2, "started") { try await docker.startServer("web2", labels: labels) }
            let client = host.client
            #expect(
                counted(try await client.get(host.clientLink.near4, port: 1080, count: 4))
                    == ["web1\n": 2, "web2\n": 2])
            let list = try await nodes.meshctl("task", "ls", "web", "--format", "json", on: 1)
            #expect(list.contains("\"source\" : \"docker@node1\""), "\(list)")

            try await untilTasks(1, "paused") { try await docker.run("pause", "web1") }
            try await untilTasks(2, "unpaused") { try await docker.run("unpause", "web1") }
            try await stopUnderLoad(docker, nodes, &times)
            try await untilTasks(2, "started again") { try await docker.run("start", "web1") }

            // dockerd is killed, and what it had goes on.
            try await docker.kill()
            try await agent.until("word of dockerd") { try agent.text().contains("docker cannot be asked for tasks") }
            #expect(
                counted(try await client.get(host.clientLink.near4, port: 1080, count: 4))
                    == ["web1\n": 2, "web2\n": 2])
            try await untilTasks(1, "removed after dockerd was started again") {
                try await docker.start()
                try await docker.run("rm", "-f", "web2")
                try await agent.until("dockerd being back") {
                    try agent.text().contains("no longer: docker cannot be asked for tasks")
                }
            }
            // The operator's own commands go on to work, and reset takes it down for as long as the agent does not run.
            try await agent.stop()
            _ = try await nodes.meshctl("reset", on: 1)
            print("\(tool): \(times.joined(separator: ", "))")
        }
    }

    /// A container that a HEALTHCHECK finds ill gets no new connections until it is well, and one whose label names a
    /// network is attached, also after it was started anew.
    @Test(arguments: RuleTool.tested) func healthAndNetworksOfContainers(tool: RuleTool) async throws {
        try await DockerHost.with(rules: tool) { docker, host in
            let nodes = try await DockerNodes(host)
            let agent = try await nodes.agent(on: 1, following: docker)
            let labels = ["meshctl.network=ingress", "meshctl.service=web", "meshctl.publish=1080:80"]
            let health = [
                "--health-cmd", "test -e /www/index.html", "--health-interval", "1s", "--health-retries", "1",
            ]
            for name in ["web1", "web2"] { try await docker.startServer(name, labels: labels, options: health) }
            let client = host.client
            func answers(_ expected: [String: Int]) async throws {
                try await eventually {
                    counted(try await client.get(host.clientLink.near4, port: 1080, count: 4)) == expected
                }
            }
            try await answers(["web1\n": 2, "web2\n": 2])
            try await docker.run("exec", "web1", "busybox", "mv", "/www/index.html", "/www/away")
            try await answers(["web2\n": 4])
            let list = try await nodes.meshctl("task", "ls", "web", on: 1)
            #expect(list.contains("unhealthy"), "\(list)")
            try await docker.run("exec", "web1", "busybox", "mv", "/www/away", "/www/index.html")
            try await answers(["web1\n": 2, "web2\n": 2])
            let before = try await nodes.meshctl("task", "ls", "web", on: 1)
            try await docker.run("restart", "--time", "0", "web1")
            try await answers(["web1\n": 2, "web2\n": 2])
            #expect(try await nodes.meshctl("task", "ls", "web", on: 1) == before, "it keeps its address")
            #expect(try await nodes.run(["plan"], on: 1).status == 0)
            try await docker.run("rm", "-f", "web1", "web2")
            try await agent.until("the port being gone") { try agent.text().contains("mesh: - service web") }
            try await agent.stop()
            _ = try await nodes.meshctl("reset", on: 1)
        }
    }

    /// `docker stop` of a server that goes on for a second after its signal, under load: no request fails.
    private func stopUnderLoad(_ docker: DockerHost, _ nodes: DockerNodes, _ times: inout [String]) async throws {
        let traffic = SteadyTraffic()
        let (client, address) = (nodes.host.client, nodes.host.clientLink.near4)
        async let ran: Void = traffic.run(from: client, [(address, 1080, "web")]) {
            WebConnection.answer($0, port: $1)
        }
        try await Task.sleep(for: .milliseconds(500))
        try await docker.run("stop", "--time", "10", "web1")
        try await Task.sleep(for: .milliseconds(500))
        traffic.end()
        try await ran
        #expect(traffic.lost == [])
        #expect(traffic.count > 20)
        times.append("stopped during \(traffic.count) requests, \(traffic.lost.count) lost")
        try await eventually {
            try await nodes.meshctl("status", "--format", "json", on: 1).contains("\"tasksInKernel\" : 1")
        }
    }
}
