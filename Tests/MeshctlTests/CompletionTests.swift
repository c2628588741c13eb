import FoundationEssentials
import SystemPackage
import TestSupport
import Testing

/// The words that a shell is offered: they are asked for by the program's own entry for that.
@Suite struct CompletionTests {
    private static func withState(_ body: (String) async throws -> Void) async throws {
        try await TemporaryDirectory.with { directory in
            try directory.appending("mesh.json").write(
                #"""
                {"schema":4,"generation":3,
                "nodes":{
                  "node1":{"address":"192.168.5.1","number":1,"gatewaySubnets":["172.18.0.0/16"]},
                  "node2":{"number":2,"gatewaySubnets":["172.18.0.0/16"]}},
                "networks":{
                  "back":{"identifier":4097,"port":4789,"subnets":["10.0.1.0/24"],"balancers":{}},
                  "ingress":{"identifier":4096,"port":4789,"subnets":["10.255.0.0/16"],"balancers":{}}},
                "services":{
                  "web":{"scheduler":"rr","ports":[
                    {"port":1080,"target":80,"transport":"tcp","mark":256},
                    {"port":1443,"address":"fd05::1","target":443,"transport":"tcp","mark":257}],
                  "tasks":[{"address":"10.255.0.4","weight":1,"node":"node1","attachment":{
                    "namespace":"/proc/7/ns/net","container":"web1","addresses":{"ingress":["10.255.0.4"]},
                    "gatewayAddresses":[],"defaultAddresses":[]}}]},
                  "dns":{"scheduler":"mh","ports":[{"port":53,"target":53,"transport":"udp","mark":258}],
                  "tasks":[{"address":"10.0.0.9","weight":1}]}}}
                """#)
            try await body(directory.string)
        }
    }

    /// - Parameters:
    ///   - command: the names of the command.
    ///   - argument: the argument to complete, as the scripts of shells call it.
    ///   - words: the words behind the command; the last one is completed.
    private func complete(
        _ command: [String], _ argument: String, _ words: [String] = [""], environment: [String: String],
        shell: String = "bash"
    ) async throws -> Ran {
        let line = ["meshctl"] + command + words
        return try await Shell.run(
            [try BuiltProducts.path("meshctl"), "---completion"] + command + ["--", argument, "\(line.count - 1)", "0"]
                + line, environment: environment.merging(["SAP_SHELL": shell]) { $1 })
    }

    private static let cases: [(command: [String], argument: String, words: [String], names: [String])] = [
        (["publish"], "positional@0", ["1080:80", ""], ["dns", "web"]),
        (["unpublish"], "positional@0", [""], ["1080/tcp", "53/udp", "[fd05::1]:1443/tcp"]),
        (["service", "inspect"], "positional@0", [""], ["dns", "web"]),
        (["service", "rm"], "positional@0", [""], ["dns", "web"]),
        (["service", "set"], "positional@0", [""], ["dns", "web"]),
        (["service", "set"], "positional@1", ["dns", ""], ["53/udp"]),
        (["service", "set"], "--network", ["dns", "--network", ""], []),
        (["task", "add"], "positional@0", [""], ["dns", "web"]),
        (["task", "add"], "positional@1", ["dns", ""], ["10.0.0.9"]),
        (["task", "rm"], "positional@0", [""], ["dns", "web"]),
        (["task", "rm"], "positional@1", ["web", ""], ["10.255.0.4"]),
        (["task", "drain"], "positional@1", ["web", ""], ["10.255.0.4"]),
        (["task", "drain"], "--container", ["web", "--container", ""], ["web1"]),
        (["task", "undrain"], "--node", ["web", "--node", ""], ["node1", "node2"]),
        (["task", "attach"], "positional@0", [""], ["dns", "web"]),
        (["task", "attach"], "--network", ["web", "--network", ""], ["back"]),
        (["task", "attach"], "--node", ["web", "--node", ""], ["node1", "node2"]),
        (["task", "attach"], "--container", ["web", "--container", ""], ["web1"]),
        (["task", "detach"], "positional@0", [""], ["dns", "web"]),
        (["task", "detach"], "positional@1", ["web", ""], ["10.255.0.4"]),
        (["task", "detach"], "positional@1", ["dns", ""], []),
        (["task", "ls"], "positional@0", [""], ["dns", "web"]),
        (["network", "inspect"], "positional@0", [""], ["back", "ingress"]),
        (["network", "rm"], "positional@0", [""], ["back", "ingress"]),
        (["network", "connect"], "positional@0", [""], ["back"]),
        (["network", "connect"], "positional@1", ["back", ""], ["dns", "web"]),
        (["network", "disconnect"], "positional@1", ["back", ""], ["dns", "web"]),
        (["node", "add"], "positional@0", [""], ["node1", "node2"]),
        (["node", "rm"], "positional@0", [""], ["node1", "node2"]),
        (["status"], "--node", ["--node", ""], ["node1", "node2"]),
    ]

    @Test func theNamesThatExist() async throws {
        try await Self.withState { state in
            for (command, argument, words, names) in Self.cases
            where argument != "--network" || command != ["service", "set"] {
                let ran = try await complete(command, argument, words, environment: ["MESHCTL_STATE_DIR": state])
                #expect(ran.status == 0 && ran.error.isEmpty, "\(ran)")
                #expect(ran.output.split(separator: "\n").map(String.init) == names, "\(command) \(words)\n\(ran)")
            }
        }
    }

    /// The folder of the line comes before that of the environment.
    @Test func theFolderThatALineNames() async throws {
        try await Self.withState { state in
            for words in [["--state-dir", state, ""], ["--state-dir=\(state)", ""]] {
                let ran = try await complete(
                    ["service", "rm"], "positional@0", words, environment: ["MESHCTL_STATE_DIR": "/nonexistent"])
                #expect(ran.output == "dns\nweb\n" && ran.error.isEmpty, "\(ran)")
            }
        }
    }

    /// A message would be printed into the line that somebody writes.
    @Test func nothingIsSaidWhereThereAreNoNames() async throws {
        try await TemporaryDirectory.with { directory in
            let damaged = directory.appending("damaged")
            try await Shell.check("mkdir", damaged.string)
            try damaged.appending("mesh.json").write("{")
            let folder = directory.appending("folder")
            try await Shell.check("mkdir", "-p", folder.appending("mesh.json").string)
            let file = directory.appending("file")
            try file.write("")
            for state in ["/nonexistent", damaged.string, folder.string, file.string] {
                let ran = try await complete(
                    ["service", "rm"], "positional@0", environment: ["MESHCTL_STATE_DIR": state])
                #expect(ran.status == 0 && ran.error.isEmpty && ran.output.allSatisfy(\.isNewline), "\(ran)")
            }
            let line = try await complete(
                ["service", "rm"], "positional@0", ["--state-dir=", ""],
                environment: ["MESHCTL_STATE_DIR": "/nonexistent"])
            #expect(line.status == 0 && line.error.isEmpty, "\(line)")
        }
    }

    // MARK: All commands

    private struct Command: Decodable {
        struct Argument: Decodable {
            struct Completion: Decodable {
                var isCustom: Bool
                private enum CodingKeys: String, CodingKey { case custom }

                init(from decoder: any Decoder) throws {
                    isCustom = try decoder.container(keyedBy: CodingKeys.self).contains(.custom)
                }
            }

            var kind: String
            var valueName: String?
            var completionKind: Completion?
        }

        var commandName: String
        var subcommands: [Command]?
        var arguments: [Argument]?
    }

    private struct Tool: Decodable { var command: Command }

    /// A command that is added later and takes a name offers those that exist, or says here why it does not.
    @Test func everyArgumentForANameOffersNames() async throws {
        let dump = try await Shell.check(try BuiltProducts.path("meshctl"), "--experimental-dump-help")
        let tool = try JSONDecoder().decode(Tool.self, from: Data(dump.utf8))
        let named: Set<String> = ["service", "services", "node", "network", "port", "ports", "address"]
        // A new name, and an address that is any address.
        let exceptions: Set<String> = ["service create service", "network create name", "node add address"]
        var offered: [String] = []
        func check(_ command: Command, _ names: [String]) {
            for argument in command.arguments ?? [] {
                let name = argument.valueName ?? ""
                let path = (names + [name]).joined(separator: " ")
                if argument.completionKind?.isCustom == true { offered.append(path) }
                let isName =
                    named.contains(name) || name.hasPrefix("[address:]port")
                    || (name == "name" && argument.kind == "positional")
                guard isName, argument.kind == "positional", !exceptions.contains(path) else { continue }
                #expect(argument.completionKind?.isCustom == true, "\(path)")
            }
            for command in command.subcommands ?? [] where command.commandName != "help" {
                check(command, names + [command.commandName])
            }
        }
        check(tool.command, [])
        #expect(offered.count > 40, "\(offered)")
    }
}
