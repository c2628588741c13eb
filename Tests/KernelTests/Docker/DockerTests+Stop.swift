import IPVSKit
import MeshKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests.DockerTests {
    /// `docker stop` of a server that closes its listener with the signal, as nginx does, under load: for whoever connects
    /// before the balancer knows, nothing can be done. The same is done to a task of a Swarm, and both numbers are printed.
    @Test(arguments: RuleTool.tested) func aServerThatStopsAtOnceLosesFewRequests(tool: RuleTool) async throws {
        try await DockerHost.with(rules: tool) { docker, host in
            let nodes = try await DockerNodes(host)
            let (client, address) = (host.client, host.clientLink.near4)
            try await docker.startSwarm(at: address, publishing: "2080:80", tasks: 2)
            let agent = try await nodes.agent(on: 1, following: docker)
            let labels = ["meshctl.service=web", "meshctl.publish=1080:80", "meshctl.network=ingress"]
            for name in ["web1", "web2"] { try await docker.startServer(name, labels: labels, patience: 0) }
            try await eventually {
                counted(try await client.get(address, port: 1080, count: 4)) == ["web1\n": 2, "web2\n": 2]
            }
            let ours = try await lost(to: 1080, answering: "web", stopping: "web1", docker, nodes)
            #expect(counted(try await client.get(address, port: 1080, count: 4)) == ["web2\n": 4])

            func tasks() async throws -> [String] {
                let filter = "label=com.docker.swarm.service.name=swarm"
                return try await docker.run("ps", "--quiet", "--filter", filter).split(separator: "\n").map(String.init)
            }
            try await eventually { try await tasks().count == 2 }
            try await eventually {
                Set(try await client.get(address, port: 2080, count: 4)) == ["swarm\n"]
            }
            let theirs = try await lost(to: 2080, answering: "swarm", stopping: tasks()[0], docker, nodes)
            print("\(tool): docker stop: lost \(ours) requests, and \(theirs) in a Swarm")
            // If the balancer did not learn of it, every second request would be lost from then on. The number itself says
            // more of how busy this machine is.
            #expect(ours.count < ours.of * 2 / 5, "ours \(ours), the Swarm's \(theirs)")

            try await docker.run("rm", "-f", "web1", "web2")
            try await agent.stop()
            _ = try await nodes.meshctl("reset", on: 1)
        }
    }

    private struct Lost: CustomStringConvertible {
        var count: Int
        var of: Int
        var description: String { "\(count) of \(of)" }
    }

    /// How many requests are lost while a container is stopped.
    private func lost(
        to port: UInt16, answering answer: String, stopping container: String, _ docker: DockerHost,
        _ nodes: DockerNodes
    ) async throws -> Lost {
        let traffic = SteadyTraffic()
        let (client, address) = (nodes.host.client, nodes.host.clientLink.near4)
        async let ran: Void = traffic.run(from: client, [(address, port, answer)], pausing: 5_000) {
            WebConnection.answer($0, port: $1)
        }
        try await Task.sleep(for: .milliseconds(500))
        try await docker.run("stop", "--time", "10", container)
        try await Task.sleep(for: .seconds(1))
        traffic.end()
        try await ran
        return Lost(count: traffic.lost.count, of: traffic.count)
    }
}
