import ArgumentParser
import SystemPackage
import TestSupport
import Testing

@testable import meshctl

/// The parts of the command line that work without a kernel with IPVS.
@Suite struct CommandLineTests {
    private func meshctl(_ arguments: String..., state: String = "/nonexistent") async throws -> Ran {
        try await Shell.run(
            [try BuiltProducts.path("meshctl")] + arguments,
            environment: ["MESHCTL_STATE_DIR": state, "COLUMNS": "100"])
    }

    @Test func helpNamesEveryCommandAndTheExitStatuses() async throws {
        let ran = try await meshctl("--help")
        #expect(ran.status == 0)
        for word in [
            "publish", "unpublish", "service", "task", "network", "node", "status", "plan", "reconcile", "apply",
            "export",
            "reset", "EXIT STATUS",
        ] {
            #expect(ran.output.contains(word), "no \(word) in\n\(ran.output)")
        }
    }

    @Test(
        arguments: [
            ["publish"], ["unpublish"], ["task", "add"], ["task", "rm"], ["task", "drain"],
            ["task", "undrain"], ["task", "ls"], ["service", "ls"],
            ["service", "inspect"], ["service", "rm"], ["service", "create"], ["service", "set"], ["status"], ["plan"],
            ["reconcile"], ["reset"],
        ])
    func everyCommandHasAnExample(command: [String]) async throws {
        let ran = try await Shell.run([try BuiltProducts.path("meshctl")] + command + ["--help"])
        #expect(ran.status == 0)
        #expect(ran.output.contains("EXAMPLE"))
    }

    /// The agent logs each change to the kernel in any case.
    @Test func whatVerboseMeans() async throws {
        let agent = try await meshctl("agent", "--help").output
        #expect(agent.contains("Also log each pass and operation.") && !agent.contains("Print each change"), "\(agent)")
        for command in [["status", "--help"], ["task", "attach", "--help"]] {
            let ran = try await Shell.run([try BuiltProducts.path("meshctl")] + command)
            for words in ["-v, --verbose", "Print each change to the kernel"] {
                #expect(ran.output.contains(words), "\(ran)")
            }
        }
        #expect(try AgentCommand.parse(["-v"]).options.isVerbose && AgentCommand.parse(["--verbose"]).options.isVerbose)
    }

    /// A name that is made from the type's costs a search through all conformances of the program, for each command at each
    /// start: together a quarter of the time that a command takes to start.
    @Test func everyCommandSaysItsName() {
        func unnamed(_ command: any ParsableCommand.Type) -> [String] {
            (command.configuration.commandName == nil ? ["\(command)"] : [])
                + command.configuration.subcommands.flatMap(unnamed)
        }
        #expect(unnamed(Meshctl.self).isEmpty)
    }

    @Test func helpExplainsEveryScheduler() async throws {
        let refusal = try await meshctl("publish", "1080:80", "nginx", "--scheduler", "fastest").error
        let list = try #require(refusal.split(separator: "the schedulers are ").last?.split(separator: ".").first)
        let help = try await meshctl("help", "publish").output.split(separator: "\n")
        for name in list.split(separator: ", ") {
            #expect(help.contains { $0.hasPrefix("  \(name) ") }, "\(name) is not explained")
        }
    }

    /// The text of a paragraph is the same at every width, and no line is wider than the terminal.
    @Test(arguments: ["60", "80", "120"]) func helpWrapsInAnyTerminal(columns: String) async throws {
        for command in [
            "publish", "service set", "service create", "task add", "task attach", "node add", "apply", "status",
            "plan", "reset",
        ] {
            let ran = try await Shell.run(
                [try BuiltProducts.path("meshctl"), "help"] + command.split(separator: " ").map(String.init),
                environment: ["COLUMNS": columns])
            let text = ran.output.split(separator: "EXAMPLE")[0]
            let width = try #require(Int(columns))
            for line in text.split(separator: "\n") where !line.contains("]:target[") {
                #expect(line.count <= width, "\(line)")
            }
            // A paragraph whose lines were broken by hand would have a short line in its middle.
            let discussion = text.split(separator: "USAGE:")[0]
            for paragraph in discussion.split(separator: "\n\n")
            where !paragraph.contains("SCHEDULERS") && !paragraph.contains("HEALTH CHECKS") {
                let lines = paragraph.split(separator: "\n")
                for (line, next) in zip(lines, lines.dropFirst()) {
                    let word = next.split(separator: " ").first ?? ""
                    #expect(line.count + 1 + word.count >= width, "\(line)\n\(next)")
                }
            }
        }
    }

    @Test(
        "what cannot be a command line exits with 64 and says why",
        arguments: [
            (["publish", "0:80", "nginx"], "ports are the numbers from 1 to 65535"),
            (["publish", "70000:80", "nginx"], "ports are the numbers from 1 to 65535"),
            (["publish", "1080:0", "nginx"], "ports are the numbers from 1 to 65535"),
            (["publish", "--", "-1:80", "nginx"], "ports are the numbers from 1 to 65535"),
            (["publish", "+80:80", "nginx"], "ports are the numbers from 1 to 65535"),
            (["publish", "1080", "nginx"], "with a colon between"),
            (["publish", "1080:80:80", "nginx"], "with a colon between"),
            (["publish", "1080:80/icmp", "nginx"], "it is tcp, udp or sctp"),
            (["publish", "1080:80/6", "nginx"], "it is tcp, udp or sctp"),
            (["publish", "1080:80/", "nginx"], "it is tcp, udp or sctp"),
            (["publish", "10-5:80", "nginx"], "runs backwards"),
            (["publish", "10-12:80-81", "nginx"], "write as many"),
            (["publish", "1000-:80", "nginx"], "ports are the numbers from 1 to 65535"),
            (["publish", "10.0.0:1080:80", "nginx"], "is not an IPv4 address"),
            (["publish", "eth0:5000:80", "nginx"], "an interface in place of its name, as in 192.168.5.1:5000:80."),
            (["publish", "fd00::1:1080:80", "nginx"], "with a colon between"),
            (["publish", "[10.0.0.1]:1080:80", "nginx"], "in brackets"),
            (["publish", "[fd00::1]1080:80", "nginx"], "in brackets"),
            (["publish", "1080:80", "nginx", "--allow", "10.0.0.0/33"], "write a network"),
            (["publish", "1080:80", "nginx", "--allow", "any", "--allow", "10.0.0.0/8"], "cannot be combined"),
            (["publish", "1080:80", "nginx", "--sticky", "soon"], "write a time"),
            (["publish", "1080:80", "nginx", "--sticky", "0s"], "write a time"),
            (["publish", "1080:80", "nginx", "--sticky", "60d"], "write a time"),
            (["publish", "1080:80", "nginx", "--source-ip", "mine"], "auto, keep, nat"),
            (["publish", "1080:80", "nginx", "--rules", "bpf"], "auto"),
            (["publish", "1080:80", "nginx", "--scheduler", "fastest"], "the schedulers are rr, wrr"),
            (
                ["publish", "1080:80", "nginx", "--scheduler", "dh"],
                "dh chooses by the address that clients connect to"
            ),
            (["publish", "1080:80"], "Name the ports and then the service"),
            (["publish", "1080:80", "nginx", "--network", "overlay"], "is none of host and ingress"),
            (["service", "set", "nginx"], "Say what to change"),
            (["service", "set", "nginx", "1080", "--scheduler", "wlc"], "hold for the whole service"),
            (["service", "set", "nginx", "1080", "--health", "off"], "hold for the whole service"),
            (["service", "set", "nginx", "1080:80", "--sticky", "1m"], "name the published port alone, as in 1080."),
            (["service", "set", "nginx", "--allow", "any", "--allow", "10.0.0.0/8"], "cannot be combined"),
            (["service", "create"], "Missing expected argument"),
            (["service", "create", "nginx", "--network", "back"], "is none of host and ingress"),
            (["unpublish", "http"], "ports are the numbers from 1 to 65535"),
            (["unpublish", "1080:80"], "name the published port alone, as in 1080."),
            (["unpublish", "1080:80/udp"], "name the published port alone, as in 1080/udp."),
            (["unpublish", "10.0.0.1:1080-1081:80-81"], "name the published port alone, as in 10.0.0.1:1080-1081."),
            (["unpublish", "[fd00::1]:1080:80"], "name the published port alone, as in [fd00::1]:1080."),
            (["unpublish", "1080:99999"], "is not an IPv4 address; name the published port alone"),
            (["unpublish", "eth0:1080"], "an interface in place of its name, as in 192.168.5.1:1080."),
            (["task", "add", "nginx", "999.1.1.1"], "write an IPv4 or IPv6 address"),
            (["task", "add", "nginx", "10.0.0.1:80"], "write an IPv4 or IPv6 address"),
            (["task", "add", "nginx", "10.0.0.1", "--weight", "-1"], "weight"),
            (["frobnicate"], "Unexpected argument"),
        ])
    func usage(arguments: [String], reason: String) async throws {
        let ran = try await Shell.run([try BuiltProducts.path("meshctl")] + arguments)
        #expect(ran.status == 64, "\(ran)")
        #expect(ran.error.contains(reason), "\(ran)")
        #expect(ran.output.isEmpty)
    }

    /// A mistake that a command finds once it runs leads to the help of the command, as any other does.
    @Test(arguments: [
        (["task", "attach", "x"], "task attach"), (["task", "detach", "x"], "task detach"),
        (["task", "drain", "x"], "task drain"), (["task", "undrain", "x"], "task undrain"),
        (["service", "ls", "--state-dir", ""], "service ls"), (["service", "set", "x"], "service set"),
        (["events", "--socket", ""], "events"),
    ])
    func mistakesLeadToTheHelpOfTheCommand(arguments: [String], command: String) async throws {
        let ran = try await Shell.run([try BuiltProducts.path("meshctl")] + arguments)
        #expect(ran.status == 64 && ran.output.isEmpty, "\(ran)")
        let lines = ran.error.split(separator: "\n")
        #expect(lines.count == 3 && lines[0].hasPrefix("Error: "), "\(ran)")
        #expect(lines.dropFirst().first?.hasPrefix("Usage: meshctl \(command) ") == true, "\(ran)")
        #expect(lines.last == "  See 'meshctl \(command) --help' for more information.", "\(ran)")
    }

    @Test func mistakesOfTheAgentLeadToItsHelp() {
        let text = Meshctl.text(of: ValidationError("--metrics is wrong."), in: AgentCommand.self)
        #expect(text.hasPrefix("Error: --metrics is wrong.\nUsage: meshctl agent ["), "\(text)")
        #expect(text.hasSuffix("\n  See 'meshctl agent --help' for more information."), "\(text)")
    }

    /// Options stand to the right of the command that has them.
    @Test func anOptionBeforeItsCommand() async throws {
        for (arguments, words) in [
            (["--verbose", "status"], "'--verbose'; write it after the command, `meshctl status`\n"),
            (["-v", "status"], "'-v'; write it after the command, `meshctl status`\n"),
            (["--node", "x", "status"], "'--node'; write it after the command, `meshctl status`\n"),
            (["--node=x", "status"], "'--node'; write it after the command, `meshctl status`\n"),
            (["task", "--verbose", "ls"], "'--verbose'; write it after the command, `meshctl task ls`\n"),
            (["--bogus", "status"], "'--bogus'\n"), (["--verbose"], "'--verbose'\n"),
            (["status", "--bogus"], "'--bogus'\n"),
        ] {
            let ran = try await Shell.run([try BuiltProducts.path("meshctl")] + arguments)
            #expect(ran.status == 64 && ran.error.hasPrefix("Error: Unknown option \(words)"), "\(ran)")
        }
    }

    @Test func listsOfAnEmptyMesh() async throws {
        #expect(try await meshctl("task", "ls").output == "SERVICE  ADDRESS  WEIGHT  CLIENT IP\n")
        #expect(try await meshctl("service", "ls").output == "SERVICE  PORTS  TASKS  SCHEDULER\n")
        let json = try await meshctl("service", "ls", "--format", "json")
        #expect(json.output == "{\n  \"services\" : [\n\n  ]\n}\n")
    }

    @Test func listsOfAStore() async throws {
        try await TemporaryDirectory.with { directory in
            try directory.appending("mesh.json").write(
                #"""
                {"schema":1,"generation":3,"retiringMarks":[],"originalSysctls":{},"services":{
                  "nginx":{"scheduler":"rr","ports":[{"port":1080,"target":80,"transport":"tcp","mark":256}],
                    "tasks":[{"address":"10.0.0.9","weight":1,"local":true},{"address":"10.0.0.10","weight":12,"local":false}]},
                  "dns":{"scheduler":"mh","ports":[],"tasks":[]}}}
                """#)
            #expect(
                try await meshctl("task", "ls", "nginx", state: directory.string).output == """
                    SERVICE  ADDRESS    WEIGHT  CLIENT IP
                    nginx    10.0.0.9        1  kept
                    nginx    10.0.0.10      12  hidden

                    """)
            #expect(
                try await meshctl("service", "ls", state: directory.string).output == """
                    SERVICE  PORTS         TASKS  SCHEDULER
                    dns                        0  mh
                    nginx    1080->80/tcp      2  rr

                    """)
            let unknown = try await meshctl("task", "ls", "web", state: directory.string)
            #expect(unknown.status == 65)
            #expect(unknown.error.contains("no service \"web\""))
        }
    }

    /// The options of ports and services are shown where they are set.
    @Test func whatInspectShows() async throws {
        try await TemporaryDirectory.with { directory in
            try directory.appending("mesh.json").write(
                """
                {"schema":4,"generation":3,"services":{
                  "plain":{"scheduler":"rr","tasks":[],"ports":[{"port":1080,"target":80,"transport":"tcp","mark":256}]},
                  "nginx":{"scheduler":"rr","health":"tcp","tasks":[{"address":"10.0.0.9","weight":1}],"ports":[
                    {"port":1443,"target":443,"transport":"tcp","mark":257,"stickySeconds":600,"maxConnections":1000,
                     "allowed":["10.0.0.0/8","192.168.5.0/24"],"sourceIP":"keep","drainSeconds":0},
                    {"port":1444,"target":443,"transport":"tcp","mark":258,"drainSeconds":300}]}}}
                """)
            #expect(
                try await meshctl("service", "inspect", "nginx", state: directory.string).output == """
                    nginx, scheduler rr, health check tcp

                    PORT           MARK   STICKY  ALLOW                      SOURCE IP  DRAIN  MAX-CONNS
                    1443->443/tcp  0x101  10m     10.0.0.0/8,192.168.5.0/24  keep       off         1000
                    1444->443/tcp  0x102  -       -                          -          5m             -

                    TASK      WEIGHT  LOCAL
                    10.0.0.9       1  no

                    """)
            #expect(
                try await meshctl("service", "inspect", "plain", state: directory.string).output.hasPrefix(
                    "plain, scheduler rr\n\nPORT          MARK\n1080->80/tcp  0x100\n"))
        }
    }

    @Test(arguments: ["{\"schema\"", "not json", "{\"schema\": 3}"])
    func aStoreThatCannotBeReadExitsWith65(text: String) async throws {
        try await TemporaryDirectory.with { directory in
            try directory.appending("mesh.json").write(text)
            let ran = try await meshctl("service", "ls", state: directory.string)
            #expect(ran.status == 65, "\(ran)")
            #expect(ran.error.contains("mesh.json"))
            #expect(try directory.appending("mesh.json").text() == text)
        }
    }
}
