import IPVSKit
import MeshKit
import SystemPackage
import TestSupport
import Testing

/// A node with a client and tasks on links of their own, each task a real nginx:
///
///     client 10.1.0.2 ── 10.1.0.1 node 10.11.0.1 ── 10.11.0.2 task 1
///                                      10.12.0.1 ── 10.12.0.2 task 2
struct MeshHost {
    let topology: Topology
    let node: TestNamespace
    let client: TestNamespace
    let clientLink: Topology.Link
    let tasks: [Task]
    /// What carries the rules.
    let tool: RuleTool

    struct Task {
        let namespace: TestNamespace
        let link: Topology.Link
        var name: String
    }

    var stateDirectory: FilePath { topology.directory.appending("state") }

    static func with(
        tasks count: Int = 2, rules tool: RuleTool = .tested[0], _ body: (MeshHost) async throws -> Void
    ) async throws {
        try await Topology.with { topology in
            let node = try await topology.namespace("node")
            let client = try await topology.namespace("client")
            let clientLink = try await topology.link(node, client, number: 1)
            var tasks: [Task] = []
            for number in 1...max(count, 1) where count > 0 {
                let namespace = try await topology.namespace("t\(number)")
                let link = try await topology.link(node, namespace, number: 10 + number)
                try await namespace.ip(["route add default via \(link.near4)"])
                try await namespace.ip(["route add default via \(link.near6)"], options: "-6")
                tasks.append(Task(namespace: namespace, link: link, name: "task\(number)"))
            }
            try await body(
                MeshHost(
                    topology: topology, node: node, client: client, clientLink: clientLink, tasks: tasks, tool: tool))
        }
    }

    /// nginx in each task, which answers `task1 10.1.0.2`: who it is, and whom it sees.
    func startServers(port: Int = 80) async throws {
        for task in tasks {
            let directory = topology.directory.appending(task.name)
            try await Shell.check("mkdir", "-p", directory.string)
            try await task.namespace.startNginx(
                in: directory, port: port, location: #"return 200 "\#(task.name) $remote_addr";"#)
        }
    }

    /// Runs meshctl on the node.
    func meshctl(_ arguments: [String], environment: [String: String] = [:]) async throws -> Ran {
        try await node.run(
            [try BuiltProducts.path("meshctl")] + arguments,
            environment: ["MESHCTL_STATE_DIR": stateDirectory.string, "MESHCTL_RULES": tool.rawValue]
                .merging(environment) { $1 })
    }

    /// Runs meshctl on the node, after a script that changes what it sees of the file system, and nobody else.
    func meshctl(_ arguments: [String], after script: String) async throws -> Ran {
        try await node.run(
            ["unshare", "--mount", "sh", "-ec", "\(script)\nexec \"$0\" \"$@\"", try BuiltProducts.path("meshctl")]
                + arguments,
            environment: ["MESHCTL_STATE_DIR": stateDirectory.string, "MESHCTL_RULES": tool.rawValue])
    }

    /// Runs meshctl on the node, which must succeed, and gives what it printed.
    @discardableResult
    func meshctl(_ arguments: String...) async throws -> String {
        let ran = try await meshctl(arguments)
        guard ran.status == 0 else { throw Shell.Failed(ran: ran) }
        return ran.output
    }

    /// Adds every task by both its addresses.
    func addTasks(_ options: String...) async throws {
        for task in tasks {
            for address in [task.link.far4, task.link.far6] {
                let ran = try await meshctl(["task", "add", "nginx", "\(address)"] + options)
                guard ran.status == 0 else { throw Shell.Failed(ran: ran) }
            }
        }
    }

    /// All that the mesh could have changed on the node, as its tools print it, but for the time of day and the
    /// packets counted: neighbours find each other meanwhile.
    func kernelText() async throws -> String {
        var text = ""
        let tools: [[String]] =
            switch tool {
            case .nftables: [["nft", "-s", "list", "ruleset"]]
            case .iptables: [["iptables-save"], ["ip6tables-save"], ["ipset", "save"]]
            }
        for command in [["ipvsadm", "-Sn"]] + tools {
            text +=
                "$ \(command)\n"
                + (try await node.check(command)).split(separator: "\n")
                .filter { !$0.hasPrefix("#") }.joined(separator: "\n").replacing(/\[\d+:\d+\]/, with: "[]") + "\n"
        }
        return text
    }

    func storeText() throws -> String { try stateDirectory.appending("mesh.json").text() }
    func ledgerText() throws -> String { try stateDirectory.appending("ledger.json").text() }
}

extension TestNamespace {
    @discardableResult
    func check(_ command: [String]) async throws -> String {
        try await Shell.check(["ip", "netns", "exec", name] + command)
    }
}

/// How often each line occurs.
func counted(_ lines: [String]) -> [String: Int] {
    lines.reduce(into: [:]) { $0[$1, default: 0] += 1 }
}
