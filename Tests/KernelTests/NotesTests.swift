import MeshKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests {
    /// Commands find what earlier ones have noted of the rules, and never more than that.
    @Suite struct NotesTests {
        /// A folder of programs that write down that they ran, before they do what they are called for.
        private static func programs(_ host: MeshHost) async throws -> (path: String, seen: FilePath) {
            let folder = host.topology.directory.appending("programs")
            let seen = folder.appending("seen")
            try await Shell.check("mkdir", folder.string)
            for name in ["iptables-save", "ip6tables-save", "iptables-restore", "ip6tables-restore"] {
                let program = folder.appending(name)
                let real = try await Shell.check("sh", "-c", "printf %s \"$(command -v \(name))\"")
                try program.write("#!/bin/sh\necho \(name) >>\(seen)\nexec \(real) \"$@\"\n")
                try await Shell.check("chmod", "+x", program.string)
            }
            let path = try await Shell.check("sh", "-c", "printf %s \"$PATH\"")
            return ("\(folder):\(path)", seen)
        }

        /// One that translates a port writes a rule for it, which is a transaction of its own.
        @Test(
            .enabled(if: RuleTool.tested.contains(.nftables), "rules of iptables-legacy have no generation"))
        func iptablesIsReadOnce() async throws {
            try await MeshHost.with(rules: .iptables) { host in
                try await host.startServers()
                try await host.addTasks("--local")
                let (path, seen) = try await Self.programs(host)
                func publish(_ port: UInt16) async throws -> [Substring] {
                    try seen.write("")
                    let ran = try await host.meshctl(["publish", "\(port):80", "nginx"], environment: ["PATH": path])
                    #expect(ran.status == 0, "\(ran)")
                    let answers = try await host.client.get(host.clientLink.near4, port: port, count: 4)
                    #expect(counted(answers) == ["task1 10.1.0.2": 2, "task2 10.1.0.2": 2])
                    return try seen.text().split(separator: "\n")
                }
                let writing: [Substring] = ["iptables-restore", "ip6tables-restore"]
                let reading: [Substring] = ["iptables-save", "ip6tables-save"]
                _ = try await publish(1080)
                // The first has installed rules in two namespaces: also at the other end of the way from 127.0.0.1.
                #expect(try await publish(1081) == reading + reading + writing)
                #expect(try await publish(1082) == writing)
                #expect(try await publish(1083) == writing)

                // Somebody else's transaction ends what is known, wherever it was.
                try await host.node.check("iptables", "-A", "FORWARD", "-s", "192.0.2.1", "-j", "ACCEPT")
                #expect(try await publish(1084) == reading + writing)
                #expect(try await publish(1085) == writing)

                // So does one that damages ours.
                try await host.node.check("iptables", "-t", "nat", "-F", "MESH-TARGET")
                let plan = try await host.meshctl(["plan"], environment: ["PATH": path])
                #expect(plan.status == 2 && plan.output.contains("iptables"), "\(plan)")
                try await host.meshctl("reconcile")
                #expect(try await publish(1086) == writing, "what was repaired was noted, too")
                for port in 1080...1086 as ClosedRange<UInt16> {
                    #expect(try await host.client.get(host.clientLink.near4, port: port, count: 1).count == 1)
                }
            }
        }

        /// Without notes, another file's, or with a broken one, commands do the same.
        @Test(arguments: RuleTool.tested) func notesMayBeLost(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                try await host.startServers()
                try await host.addTasks("--local")
                let file = host.stateDirectory.appending("rules-seen.json")
                try await host.meshctl("publish", "1080:80", "nginx")
                try await host.meshctl("publish", "1081:80", "nginx")
                for loss in ["rm -f \(file)", "echo '{' >\(file)", "rm -f \(file) && mkdir \(file)"] {
                    try await Shell.check("sh", "-e", "-c", loss)
                    try await host.meshctl("plan")
                    try await host.meshctl("unpublish", "1081")
                    try await host.meshctl("publish", "1081:80", "nginx")
                    let answers = try await host.client.get(host.clientLink.near4, port: 1081, count: 4)
                    #expect(counted(answers) == ["task1 10.1.0.2": 2, "task2 10.1.0.2": 2])
                }
            }
        }
    }
}
