import MeshKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests {
    /// What meshctl refuses: with which status, and that nothing is changed by it.
    @Suite struct RefusalTests {
        private static let badInput: [(arguments: [String], status: Int32, reason: String)] = [
            (["publish", "0:80", "nginx"], 64, "ports are the numbers from 1 to 65535"),
            (["publish", "70000:80", "nginx"], 64, "ports are the numbers from 1 to 65535"),
            (["publish", "1080", "nginx"], 64, "with a colon between"),
            (["publish", "1080:80/icmp", "nginx"], 64, "it is tcp, udp or sctp"),
            (["publish", "2080-2090:80-89", "nginx"], 64, "2080-2090"),
            (["publish", "2080:80", "nginx", "--sticky", "soon"], 64, "--sticky"),
            (["publish", "2080:80", "nginx", "--allow", "10.0.0.0/33"], 64, "--allow"),
            (["publish", "127.0.0.1:2080:80", "nginx"], 65, "is the loopback address"),
            (["publish", "[fe80::1]:2080:80", "nginx"], 65, "is of one link only"),
            (["publish", "1000-1100:80-180", "nginx"], 65, "1080/tcp"),
            (["publish", "2080:80", "a/b"], 65, "is no service name"),
            (["publish", "2080:80", "a b"], 65, "is no service name"),
            (["publish", "2080:80", String(repeating: "a", count: 300)], 65, "is no service name"),
            (["task", "add", "nginx", "999.1.1.1"], 64, "write an IPv4 or IPv6 address"),
            (["task", "add", "nginx", "0.0.0.0"], 65, "is no address of a task"),
            (["task", "add", "nginx", "127.0.0.1"], 65, "is the loopback address"),
            (["task", "add", "nginx", "224.0.0.1"], 65, "is a multicast address"),
            (["task", "add", "nginx", "ff02::1"], 65, "is a multicast address"),
            (["task", "add", "nginx", "10.0.0.9", "--weight", "4000000000"], 65, "a weight is at most 2147483647"),
            (["publish", "2080:80", "nginx", "--scheduler", "fastest"], 64, "the schedulers are"),
            (["publish", "1080:80", "other"], 65, "is published by service nginx"),
            (["unpublish", "4711"], 65, "is not published"),
            (["task", "rm", "nginx", "10.0.0.200"], 65, "has no task"),
            (["service", "rm", "nobody"], 65, "there is no service"),
        ]

        @Test(arguments: RuleTool.tested) func badInputChangesNothing(tool: RuleTool) async throws {
            try await MeshHost.with(tasks: 0, rules: tool) { host in
                try await host.meshctl("task", "add", "nginx", "10.0.0.2")
                try await host.meshctl("publish", "1080:80", "nginx")
                let store = try host.storeText()
                let kernel = try await host.kernelText()
                for (arguments, status, reason) in Self.badInput {
                    let ran = try await host.meshctl(arguments)
                    #expect(ran.status == status, "\(ran)")
                    #expect(ran.error.contains(reason), "\(ran)")
                    let storeNow1 = try host.storeText()
                    #expect(storeNow1 == store, "\(ran)")
                }
                let kernelNow2 = try await host.kernelText()
                #expect(kernelNow2 == kernel)

                let file = host.stateDirectory.appending("mesh.json")
                for damaged in [
                    String(store.prefix(store.count / 2)), "not JSON",
                    store.replacing("\"schema\" : 4", with: "\"schema\" : 5"),
                ] {
                    try #require(damaged != store)
                    try file.write(damaged)
                    for arguments in [
                        ["publish", "2080:80", "nginx"], ["task", "add", "nginx", "10.0.0.9"], ["plan"], ["status"],
                        ["reset"],
                    ] {
                        let ran = try await host.meshctl(arguments)
                        #expect(ran.status == 65, "\(ran)")
                        #expect(ran.error.contains("mesh.json"), "\(ran)")
                    }
                    let storeNow3 = try host.storeText()
                    #expect(storeNow3 == damaged)
                }
                try file.write(store)
                let ledger = try host.ledgerText()
                let ledgerFile = host.stateDirectory.appending("ledger.json")
                for damaged in [
                    String(ledger.prefix(ledger.count / 2)), "not JSON",
                    ledger.replacing("\"schema\" : 1", with: "\"schema\" : 2"),
                ] {
                    try #require(damaged != ledger)
                    try ledgerFile.write(damaged)
                    for arguments in [["publish", "2080:80", "nginx"], ["plan"], ["status"], ["reconcile"], ["reset"]] {
                        let ran = try await host.meshctl(arguments)
                        #expect(ran.status == 65, "\(ran)")
                        #expect(ran.error.contains("ledger.json"), "\(ran)")
                    }
                    let ledgerNow = try host.ledgerText()
                    #expect(ledgerNow == damaged)
                    #expect(try host.storeText() == store)
                }
                let kernelNow4 = try await host.kernelText()
                #expect(kernelNow4 == kernel)
            }
        }

        @Test func withoutPrivilegeItExitsWith77() async throws {
            try await MeshHost.with(tasks: 0) { host in
                for arguments in [["publish", "1080:80", "nginx"], ["status"], ["plan"], ["reset"]] {
                    let program = try BuiltProducts.path("meshctl")
                    let ran = try await host.node.run(
                        [
                            "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "PATH=/nonexistent",
                            program,
                        ]
                            + arguments,
                        environment: ["MESHCTL_STATE_DIR": host.stateDirectory.string])
                    #expect(ran.status == 77, "\(ran)")
                    #expect(ran.error.contains("CAP_NET_ADMIN"), "\(ran)")
                }
            }
        }

        @Test func inAUserNamespaceItExitsWith77AndSaysWhy() async throws {
            let ran = try await Shell.run(
                ["unshare", "--user", "--map-root-user", "--net", try BuiltProducts.path("meshctl"), "plan"],
                environment: ["MESHCTL_STATE_DIR": "/nonexistent"])
            #expect(ran.status == 77, "\(ran)")
            #expect(ran.error.contains("user namespace"), "\(ran)")
        }
    }
}
