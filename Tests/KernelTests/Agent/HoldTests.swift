import MeshKit
import RuleKit
import TestSupport
import Testing

extension KernelTests {
    /// Published ports that the agent holds.
    @Suite struct HoldTests {
        /// No program of the node binds a published port while it is published, and any may as soon as `unpublish` has
        /// ended. Clients notice nothing of it.
        @Test(arguments: RuleTool.tested) func nobodyElseTakesAPublishedPort(tool: RuleTool) async throws {
            try await AgentTests.with(tool) { mesh, _, _ in
                let node = mesh.nodes[0]
                func bind(_ type: String, _ address: String = "") async throws -> String {
                    let script = """
                        import errno, socket
                        try:
                            socket.socket(socket.AF_INET, socket.SOCK_\(type)).bind(("\(address)", 1080))
                            print("bound")
                        except OSError as error:
                            print(errno.errorcode[error.errno])
                        """
                    return try await node.namespace.check("python3", "-c", script).split(separator: "\n").joined()
                }
                for type in ["STREAM", "DGRAM"] {
                    #expect(try await bind(type) == "EADDRINUSE")
                    #expect(try await bind(type, "127.0.0.1") == "EADDRINUSE")
                }
                for transport in try await publishableTransports() {
                    let answers = try await mesh.client.ask(transport, node.addresses[0], 1080, times: 4)
                    #expect(answers.keys.allSatisfy { $0.hasPrefix("web") }, "\(transport): \(answers)")
                }
                // A port that the agent holds already may be published again, and is nobody's who would be in the way.
                try await mesh.meshctl("publish", "1080:80/udp", "nginx", on: 1)
                for _ in 0..<2 {
                    try await mesh.meshctl("unpublish", "1080", "1080/udp", on: 1)
                    for type in ["STREAM", "DGRAM"] { #expect(try await bind(type) == "bound") }
                    try await mesh.meshctl("publish", "1080:80", "1080:80/udp", "nginx", on: 1)
                    // An agent that meets this test's own socket on the port tries again in the next pass.
                    for _ in 0..<20 where try await bind("STREAM") == "bound" {
                        try await Task.sleep(for: .milliseconds(500))
                    }
                    #expect(try await bind("STREAM") == "EADDRINUSE")
                }
                try await mesh.expectNothingPlanned("at the end")
            }
        }
    }
}
