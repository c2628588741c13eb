import MeshKit
import Netlink
import RuleKit
import SystemPackage
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests {
    /// Commands whose work the agent does.
    @Suite struct CommandsByAgentTests {
        /// Each command that changes something, and some mistakes. `WEB1` and `WEB2` stand for namespaces, `FILE` for a
        /// file of the mesh, and `WRONG` for one with a mistake that only the present mesh shows.
        private static let commands = """
            service create web --scheduler wlc --dry-run
            service create web --scheduler wlc
            network create back --subnet 10.20.0.0/24
            node add node2 --address 192.168.5.2
            task attach web --netns WEB1
            task attach web --netns WEB2 --network back
            publish 1080:80 1443:443 web --sticky 10m
            publish 1080:80 1443:443 web --sticky 10m
            service set web 1080 --drain 5m --dry-run
            service set web 1080 --drain 5m
            network connect back web
            network disconnect back web
            task drain web --netns WEB1
            task undrain web --netns WEB1
            task detach web --netns WEB2 --wait
            task add plain 10.9.9.9
            publish 2080:80 plain
            task drain plain 10.9.9.9 --wait
            task add plain 10.9.9.9 --weight 3
            task undrain plain 10.9.9.9
            unpublish 1443
            apply -f FILE --dry-run
            apply -f FILE
            reconcile --retry
            unpublish 1443
            publish 1080:80 plain
            publish 70000:80 plain
            service set web
            service set none --scheduler rr
            task rm plain 10.1.1.1
            task attach web --netns nowhere
            apply -f WRONG
            network rm none
            node rm none
            service rm none
            task rm plain 10.9.9.9 --wait --now
            service rm plain
            network rm back
            node rm node2
            reset
            reset --all
            """

        /// All that a command prints and how it ends, with what differs from run to run left out.
        private static func text(_ ran: Ran, _ mesh: MeshNodes) -> String {
            "\(ran.status)\n--- output\n\(ran.output)\n--- error\n\(ran.error)"
                .replacing(mesh.topology.prefix, with: "PREFIX-").replacing(mesh.topology.directory.string, with: "DIR")
                .replacing(/(for|in) \d+ s/, with: "for a time").replacing(/meshctl-lo-\d+/, with: "meshctl-lo-N")
        }

        /// Runs all commands on a fresh node.
        ///
        /// - Returns: each command with what came of it, the mesh after it, and what the agent has logged.
        private func run(
            _ tool: RuleTool, withAgent: Bool
        ) async throws -> (results: [(command: String, text: String)], log: String) {
            var results: [(command: String, text: String)] = []
            var log = ""
            try await MeshNodes.with(1, rules: tool) { mesh in
                let node = mesh.nodes[0]
                let tasks = [try await mesh.task("web1", on: 1), try await mesh.task("web2", on: 1)]
                let (file, wrong) = (
                    mesh.topology.directory.appending("a b.yaml"), mesh.topology.directory.appending("w.yaml")
                )
                try file.write("services:\n  web:\n    ports: ['3080:80']\n")
                try wrong.write("services:\n  web:\n    tasks:\n      - attachment:\n          namespace: nowhere\n")
                let agent = withAgent ? try await RunningAgent(on: node, of: mesh, options: "--no-containers") : nil
                defer { agent?.signal(SIGKILL) }
                for command in Self.commands.split(separator: "\n").map(String.init) {
                    let words = command.split(separator: " ").map { word in
                        switch word {
                        case "WEB1": tasks[0].namespace.name
                        case "WEB2": tasks[1].namespace.name
                        case "FILE": file.string
                        case "WRONG": wrong.string
                        default: String(word)
                        }
                    }
                    let ran = try await mesh.run(words + ["--verbose"], on: node)
                    let spec = try await FileSpecStore(directory: node.stateDirectory).load().yaml
                        .replacing(mesh.topology.prefix, with: "PREFIX-").replacing(/inode: \d+/, with: "inode: N")
                    results.append((command, Self.text(ran, mesh) + "--- mesh\n" + spec))
                    // What leaves has left before the next command, whether there is an agent or not.
                    var passes = 0
                    while try await !mesh.meshctl("reconcile", on: 1).contains("Nothing to do"), passes < 5 {
                        passes += 1
                    }
                }
                log = try agent?.text() ?? ""
                try await agent?.stop()
            }
            return (results, log)
        }

        /// The same lines on both streams, the same exit status and the same mesh, with an agent and without one.
        @Test(arguments: RuleTool.tested) func whoeverDoesTheWorkItIsTheSame(tool: RuleTool) async throws {
            let alone = try await run(tool, withAgent: false)
            let beside = try await run(tool, withAgent: true)
            #expect(alone.results.count == beside.results.count)
            for (one, other) in zip(alone.results, beside.results) {
                #expect(one.text == other.text, "meshctl \(one.command)")
            }
            for name in ["publish", "unpublish", "\"task attach\"", "\"task rm\"", "apply", "reset"] {
                #expect(beside.log.contains(" cause=\(name) "), "the agent has not done it: \(name)\n\(beside.log)")
            }
        }

        /// A command does its work itself within some seconds if the agent is stuck, and the agent goes on later.
        @Test func aStuckAgentKeepsNoCommand() async throws {
            try await MeshNodes.with(1) { mesh in
                let node = mesh.nodes[0]
                let agent = try await RunningAgent(on: node, of: mesh, options: "--no-containers")
                defer { agent.signal(SIGKILL) }
                // Not while it has the lock, which no command could have then.
                let lock = node.stateDirectory.appending("lock").string
                while true {
                    agent.signal(SIGSTOP)
                    if try await Shell.run(["flock", "--nonblock", lock, "true"]).status == 0 { break }
                    agent.signal(SIGCONT)
                    try await Task.sleep(for: .milliseconds(100))
                }
                let start = ContinuousClock.now
                let ran = try await mesh.run(["publish", "1080:80", "web", "--verbose"], on: node)
                let time = ContinuousClock.now - start
                #expect(ran.status == 0 && ran.error.contains("agent.sock is not asked: "), "\(ran)")
                print("published beside a stopped agent in \(time.milliseconds) ms")
                #expect(time > .seconds(2) && time < .seconds(15))
                agent.signal(SIGCONT)
                try await mesh.meshctl("unpublish", "1080", on: 1)
                try await agent.until("the next command's change") { try agent.text().contains("cause=unpublish") }
                try await agent.stop()
            }
        }

        /// An agent of the same state folder in another network namespace changes another kernel.
        @Test func anAgentOfAnotherNamespaceIsNotAsked() async throws {
            try await MeshNodes.with(1) { mesh in
                let node = mesh.nodes[0]
                let agent = try await RunningAgent(
                    in: mesh.client, named: "elsewhere", files: mesh.topology.directory, mesh.environment(of: node),
                    options: "--no-containers")
                defer { agent.signal(SIGKILL) }
                let ran = try await mesh.run(["publish", "1080:80", "web", "--verbose"], on: node)
                #expect(ran.error.contains("is not asked: it is in another network namespace"), "\(ran)")
                // The folder's ledger is that of the other namespace, as the command finds out by itself.
                #expect(ran.status == 65, "\(ran)")
                #expect(try !agent.text().contains("cause=publish"))
                try await agent.stop()
            }
        }
    }
}
