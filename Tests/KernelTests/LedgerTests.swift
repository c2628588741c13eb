import MeshKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests {
    /// To which network namespace, of which boot, a ledger belongs.
    @Suite struct LedgerTests {
        private struct Node {
            var namespace: TestNamespace
            var state: FilePath

            func meshctl(_ arguments: String..., tool: RuleTool) async throws -> Ran {
                try await namespace.run(
                    [try BuiltProducts.path("meshctl")] + arguments,
                    environment: ["MESHCTL_STATE_DIR": state.string, "MESHCTL_RULES": tool.rawValue])
            }

            func setting(_ name: String) async throws -> String {
                String(try await namespace.check("sysctl", "-n", name).dropLast())
            }

            /// All that meshctl could have put here.
            func kernelText(_ tool: RuleTool) async throws -> String {
                let rules = tool == .nftables ? ["nft", "-s", "list", "ruleset"] : ["ipset", "save"]
                return try await namespace.check("ipvsadm", "-Sn") + namespace.check(rules) + namespace.linkText()
            }
        }

        private static func inode(of namespace: TestNamespace) async throws -> String {
            String(try await Shell.check("stat", "-Lc", "%i", "/run/netns/\(namespace.name)").dropLast())
        }

        /// What it says is there is not here; and what is here nobody may take for gone.
        @Test(arguments: RuleTool.tested) func thatOfAnotherNamespaceIsRefused(tool: RuleTool) async throws {
            try await Topology.with { topology in
                let state = topology.directory.appending("state")
                let home = Node(namespace: try await topology.namespace("home"), state: state)
                let other = Node(namespace: try await topology.namespace("other"), state: state)
                #expect(try await home.meshctl("task", "add", "nginx", "10.0.0.2", tool: tool).status == 0)
                #expect(try await home.meshctl("publish", "1080:80", "nginx", tool: tool).status == 0)
                let documents = try ["mesh.json", "ledger.json"].map { try state.appending($0).text() }
                let kernel = try await (home.kernelText(tool), other.kernelText(tool))
                for command in ["plan", "status", "reconcile", "reset"] {
                    let ran = try await other.meshctl(command, tool: tool)
                    #expect(ran.status == 65, "\(ran)")
                    for words in [
                        "ledger.json", try await Self.inode(of: home.namespace),
                        try await Self.inode(of: other.namespace),
                        "the namespace \(home.namespace.name)", "--state-dir",
                    ] {
                        #expect(ran.error.contains(words), "\(words): \(ran)")
                    }
                }
                let published = try await other.meshctl("publish", "1081:80", "nginx", tool: tool)
                #expect(published.status == 65, "\(published)")
                let kernelNow = try await (home.kernelText(tool), other.kernelText(tool))
                #expect(kernelNow == kernel)
                #expect(try ["mesh.json", "ledger.json"].map { try state.appending($0).text() } == documents)
                #expect(try await home.meshctl("plan", tool: tool).status == 0)
            }
        }

        /// What sudo makes of `MESHCTL_STATE_DIR`: the command works with another folder, and would take the first one's
        /// ports down.
        @Test(arguments: RuleTool.tested) func aSecondFolderInOneNamespaceIsRefused(tool: RuleTool) async throws {
            try await Topology.with { topology in
                let namespace = try await topology.namespace("node")
                let first = Node(namespace: namespace, state: topology.directory.appending("first"))
                let second = Node(namespace: namespace, state: topology.directory.appending("second"))
                #expect(try await first.meshctl("task", "add", "nginx", "10.0.0.2", tool: tool).status == 0)
                #expect(try await first.meshctl("publish", "1080:80", "nginx", tool: tool).status == 0)
                let kernel = try await first.kernelText(tool)
                for tool in RuleTool.tested {
                    for command in [["reconcile"], ["reset"], ["plan"], ["status"], ["publish", "1081:80", "nginx"]] {
                        let ran = try await namespace.run(
                            [try BuiltProducts.path("meshctl")] + command,
                            environment: [
                                "MESHCTL_STATE_DIR": second.state.string, "MESHCTL_RULES": tool.rawValue,
                            ])
                        #expect(ran.status == 65, "\(ran)")
                        #expect(ran.error.contains(first.state.string), "\(ran)")
                    }
                }
                let kernelNow = try await first.kernelText(tool)
                #expect(kernelNow == kernel)
                #expect(try await first.meshctl("plan", tool: tool).status == 0)

                // The same folder without its documents takes up what it lost, and takes it down.
                try await Shell.check("rm", "-r", first.state.string)
                let reset = try await first.meshctl("reset", tool: tool)
                #expect(reset.status == 0, "\(reset)")
                #expect(try await second.meshctl("plan", tool: tool).status == 0)
            }
        }

        /// As where a container was made anew: nothing of what the ledger says is there, and what settings were before is
        /// read once more.
        @Test(arguments: RuleTool.tested) func thatOfANamespaceThatEndedIsVoid(tool: RuleTool) async throws {
            try await Topology.with { topology in
                let state = topology.directory.appending("state")
                let first = Node(namespace: try await topology.namespace("first"), state: state)
                try await first.namespace.check("sysctl", "-qw", "net.ipv4.ip_forward=0")
                #expect(try await first.meshctl("task", "add", "nginx", "10.0.0.2", tool: tool).status == 0)
                #expect(try await first.meshctl("publish", "1080:80", "nginx", tool: tool).status == 0)
                try await Shell.check("ip", "netns", "del", first.namespace.helper().name)
                try await Shell.check("ip", "netns", "del", first.namespace.name)

                let second = Node(namespace: try await topology.namespace("second"), state: state)
                try await second.namespace.check("sysctl", "-qw", "net.ipv4.ip_forward=1")
                let plan = try await second.meshctl("plan", tool: tool)
                #expect(plan.status == 2 && plan.error == "", "\(plan)")
                let reconciled = try await second.meshctl("reconcile", tool: tool)
                #expect(reconciled.status == 0 && reconciled.error == "", "\(reconciled)")
                #expect(try await second.meshctl("plan", tool: tool).status == 0)
                #expect(try await second.namespace.check("ipvsadm", "-Sn").contains("-a -f 256 -r 10.0.0.2:80"))
                #expect(try await second.meshctl("reset", tool: tool).status == 0)
                #expect(try await second.setting("net.ipv4.ip_forward") == "1", "it was 1 before meshctl came here")
                #expect(try await second.namespace.check("ipvsadm", "-Sn") == "")
            }
        }

        @Test(arguments: RuleTool.tested) func thatOfAnotherBootIsVoid(tool: RuleTool) async throws {
            try await Topology.with { topology in
                let node = Node(
                    namespace: try await topology.namespace("node"), state: topology.directory.appending("state"))
                try await node.namespace.check("sysctl", "-qw", "net.ipv4.ip_forward=0")
                #expect(try await node.meshctl("task", "add", "nginx", "10.0.0.2", tool: tool).status == 0)
                #expect(try await node.meshctl("publish", "1080:80", "nginx", tool: tool).status == 0)
                let spec = try node.state.appending("mesh.json").text()
                let ledger = try node.state.appending("ledger.json").text()
                #expect(ledger.contains("ip_forward"))
                // The kernel forgets, the documents do not.
                #expect(try await node.meshctl("reset", tool: tool).status == 0)
                let boot = String(try FilePath("/proc/sys/kernel/random/boot_id").text().dropLast())
                try node.state.appending("mesh.json").write(spec)
                try node.state.appending("ledger.json").write(
                    ledger.replacing(boot, with: "01234567-89ab-cdef-0123-456789abcdef"))
                #expect(try node.state.appending("ledger.json").text() != ledger)
                try await node.namespace.check("sysctl", "-qw", "net.ipv4.ip_forward=1")

                let reconciled = try await node.meshctl("reconcile", tool: tool)
                #expect(reconciled.status == 0 && reconciled.error == "", "\(reconciled)")
                #expect(try await node.meshctl("plan", tool: tool).status == 0)
                #expect(try await node.meshctl("reset", tool: tool).status == 0)
                #expect(
                    try await node.setting("net.ipv4.ip_forward") == "1", "it was 1 when this boot's first pass came")
            }
        }
    }
}
