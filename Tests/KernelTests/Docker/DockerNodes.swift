import IPVSKit
import MeshKit
import SystemPackage
import TestSupport

/// The node in the first namespace, and another beside it.
struct DockerNodes {
    let host: MeshHost
    let other: TestNamespace
    let link: Topology.Link

    init(_ host: MeshHost) async throws {
        self.host = host
        other = try await host.topology.namespace("node2")
        link = try await host.topology.link(host.node, other, number: 2)
    }

    func state(of node: Int) -> FilePath { host.topology.directory.appending("node\(node)") }

    func run(_ arguments: [String], on node: Int, environment: [String: String] = [:]) async throws -> Ran {
        try await (node == 1 ? host.node : other).run(
            [try BuiltProducts.path("meshctl")] + arguments,
            environment: environment.merging(variables(of: node)) { $1 })
    }

    private func variables(of node: Int) -> [String: String] {
        [
            "MESHCTL_STATE_DIR": state(of: node).string, "MESHCTL_RULES": host.tool.rawValue,
            "MESHCTL_NODE": "node\(node)",
        ]
    }

    /// An agent that follows the containers of a dockerd.
    func agent(on node: Int, following docker: DockerHost) async throws -> RunningAgent {
        try await RunningAgent(
            in: node == 1 ? host.node : other, named: "agent\(node)", files: host.topology.directory,
            variables(of: node), options: "--docker-socket \(docker.socketPath)")
    }

    func meshctl(_ arguments: String..., on node: Int) async throws -> String {
        let ran = try await run(arguments, on: node)
        guard ran.status == 0 else { throw Shell.Failed(ran: ran) }
        return ran.output
    }

    func add() async throws {
        for (node, address) in [(1, link.near4), (2, link.far4)] {
            _ = try await meshctl("node", "add", "node\(node)", "--address", "\(address)", on: 1)
        }
    }

    func attach(_ name: String, of docker: DockerHost, on node: Int) async throws -> String {
        try await meshctl(
            "task", "attach", "web", "--container", name, "--docker-socket", docker.socketPath, on: node)
    }

    func share(from node: Int, to other: Int) async throws {
        let file = host.topology.directory.appending("mesh.yaml")
        try file.write(try await meshctl("export", on: node))
        _ = try await meshctl("apply", "-f", file.string, on: other)
    }
}
