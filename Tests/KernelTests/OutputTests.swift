import MeshKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests {
    /// Commands whose output cannot be written, and names that other users chose.
    @Suite struct OutputTests {
        private static func run(_ host: MeshHost, _ script: String, _ arguments: [String]) async throws -> Ran {
            try await host.node.run(
                ["bash", "-c", script, try BuiltProducts.path("meshctl")] + arguments,
                environment: ["MESHCTL_STATE_DIR": host.stateDirectory.string, "MESHCTL_RULES": host.tool.rawValue])
        }

        /// Each command makes its change and says so; a command with nothing to do does not mention a change.
        @Test func aChangeIsMadeAndSaid() async throws {
            try await MeshHost.with(tasks: 0) { host in
                for command: [String] in [
                    ["task", "add", "nginx", "10.0.0.2"], ["publish", "1080:80", "nginx"],
                    ["publish", "1081:80", "nginx"],
                    ["unpublish", "1081"], ["task", "rm", "nginx", "10.0.0.2"], ["service", "rm", "nginx"],
                    ["task", "add", "other", "10.0.0.3"], ["reset"],
                ] {
                    let generation = try? host.storeText()
                    let ran = try await Self.run(host, "exec \"$0\" \"$@\" >/dev/full", command)
                    #expect(ran.status == 1, "\(ran)")
                    #expect(ran.error.contains("the change was made, but the output"), "\(ran)")
                    #expect(try host.storeText() != generation, "\(ran)")
                }
                for command: [String] in [
                    ["plan"], ["plan", "--format", "json"], ["status"], ["status", "--format", "json"], ["reconcile"],
                    ["reset"], ["service", "ls"],
                ] {
                    for target in [">/dev/full", ">&-"] {
                        let ran = try await Self.run(host, "exec \"$0\" \"$@\" \(target)", command)
                        #expect(ran.status == 1 && ran.error.contains("could not be written"), "\(ran)")
                        #expect(!ran.error.contains("change was made"), "\(ran)")
                    }
                }
                // The status is 1 also with drift, for which it would otherwise be 2.
                try await host.meshctl("task", "add", "nginx", "10.0.0.2")
                try await host.meshctl("publish", "1080:80", "nginx")
                try await host.node.check("ipvsadm", "-C")
                let plan = try await Self.run(host, "exec \"$0\" \"$@\" >/dev/full", ["plan", "--format", "json"])
                #expect(plan.status == 1, "\(plan)")
                let reconcile = try await Self.run(host, "exec \"$0\" \"$@\" >/dev/full", ["reconcile"])
                #expect(reconcile.status == 1 && reconcile.error.contains("the change was made"), "\(reconcile)")
                #expect(try await host.meshctl(["plan"]).status == 0)
            }
        }

        /// Any user can give a process an arbitrary name, and listen with it.
        @Test func aProcessCannotWriteToRootsTerminal() async throws {
            try await MeshHost.with(tasks: 0) { host in
                let listener = """
                    import ctypes, socket, sys, time
                    ctypes.CDLL(None).prctl(15, b"\\x1b[31m\\nx\\xc2\\x9b", 0, 0, 0)
                    server = socket.create_server(("0.0.0.0", 1080))
                    print("listening", flush=True)
                    time.sleep(60)
                    """
                let ran = try await host.node.run(
                    [
                        "bash", "-c",
                        """
                        coproc python3 -c "$1"
                        read -r _ <&"${COPROC[0]}"
                        "$0" publish 1080:80 nginx; status=$?
                        kill $COPROC_PID
                        exit $status
                        """, try BuiltProducts.path("meshctl"), listener,
                    ],
                    environment: ["MESHCTL_STATE_DIR": host.stateDirectory.string, "MESHCTL_RULES": host.tool.rawValue])
                #expect(ran.status == 65, "\(ran)")
                #expect(ran.error.contains("\\u{1B}[31m"), "\(ran.error.debugDescription)")
                #expect(
                    ran.error.dropLast().unicodeScalars.allSatisfy { $0.properties.generalCategory != .control },
                    "\(ran.error.debugDescription)")
            }
        }
    }
}
