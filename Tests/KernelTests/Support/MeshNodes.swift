import FakeKernel
import IPVSKit
import MeshKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

/// Several nodes and a client on one switch, each a namespace of one kernel, with tasks that are attached to the mesh:
///
///     client 192.168.5.9 ──┐
///     node1  192.168.5.1 ──┤ switch
///     node2  192.168.5.2 ──┘
struct MeshNodes {
    let topology: Topology
    let wire: TestNamespace
    let client: TestNamespace
    let nodes: [Node]
    let tool: RuleTool

    struct Node: Sendable {
        let name: String
        let namespace: TestNamespace
        let addresses: [IPAddress]
        let stateDirectory: FilePath
    }

    /// The client's addresses.
    static let clientAddresses: [IPAddress] = ["192.168.5.9", "fd05::9"]

    static func with(
        _ count: Int = 2, rules tool: RuleTool = .tested[0], _ body: (MeshNodes) async throws -> Void
    ) async throws {
        try await Topology.with { topology in
            let wire = try await topology.namespace("switch")
            try await wire.ip(["link add br0 type bridge", "link set br0 up"])
            func join(_ name: String, number: Int) async throws -> TestNamespace {
                try await Self.join(wire, name, number: number, in: topology)
            }
            let client = try await join("client", number: 9)
            var nodes: [Node] = []
            for number in 1...count {
                nodes.append(
                    Node(
                        name: "node\(number)", namespace: try await join("node\(number)", number: number),
                        addresses: [IPAddress("192.168.5.\(number)")!, IPAddress("fd05::\(number)")!],
                        stateDirectory: topology.directory.appending("node\(number)")))
            }
            let mesh = MeshNodes(topology: topology, wire: wire, client: client, nodes: nodes, tool: tool)
            do {
                try await body(mesh)
            } catch {
                await mesh.dump()
                await mesh.tearDown()
                throw error
            }
            await mesh.tearDown()
        }
    }

    /// Makes a host, and joins it to the switch by `up0`.
    private static func join(
        _ wire: TestNamespace, _ name: String, number: Int, in topology: Topology
    ) async throws -> TestNamespace {
        let namespace = try await topology.namespace(name)
        try await Shell.check(
            "ip", "link", "add", "p\(number)", "netns", wire.name, "type", "veth", "peer", "name", "up0",
            "netns", namespace.name)
        try await wire.ip(["link set p\(number) master br0 up"])
        try await namespace.ip([
            "addr add 192.168.5.\(number)/24 dev up0", "addr add fd05::\(number)/64 dev up0 nodad", "link set up0 up",
        ])
        return namespace
    }

    /// A client behind a router, 192.168.6.9 and fd06::9, whose link to it lets shorter packets through than all others.
    func clientBehindRouter(mtu: Int) async throws -> TestNamespace {
        let router = try await Self.join(wire, "router", number: 8, in: topology)
        let far = try await topology.namespace("far")
        try await Shell.check(
            "ip", "link", "add", "down0", "netns", router.name, "type", "veth", "peer", "name", "up0", "netns",
            far.name)
        try await router.ip([
            "addr add 192.168.6.8/24 dev down0", "addr add fd06::8/64 dev down0 nodad", "link set down0 mtu \(mtu) up",
        ])
        try await router.check("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        // The client offers to take long segments, so that only the router says that they are too long.
        try await far.ip([
            "addr add 192.168.6.9/24 dev up0", "addr add fd06::9/64 dev up0 nodad", "link set up0 up",
            "route add default via 192.168.6.8",
        ])
        try await far.ip(["route add default via fd06::8"], options: "-6")
        for node in nodes {
            try await node.namespace.ip(["route add 192.168.6.0/24 via 192.168.5.8", "route add fd06::/64 via fd05::8"])
        }
        return far
    }

    /// A task in a namespace of its own, which has nothing but `lo` until it is attached.
    struct Task: Sendable {
        let name: String
        let namespace: TestNamespace
        /// The number of its node.
        let node: Int
        /// The server of the test's own, if it has one.
        let server: Responder?

        /// The file by which it is attached.
        var path: String { "/run/netns/\(namespace.name)" }
    }

    /// Starts tasks, `web1` on the first of the nodes and so on, which answer on port 80 with every transport.
    func tasks(on numbers: [Int]) async throws -> [Task] {
        let ports = try await publishableTransports().map { Responder.Port(transport: $0, number: 80) }
        var tasks: [Task] = []
        for (index, node) in numbers.enumerated() {
            let name = "web\(index + 1)"
            let namespace = try await topology.namespace(name)
            let server = try await Responder(name, in: namespace, on: ports)
            tasks.append(Task(name: name, namespace: namespace, node: node, server: server))
        }
        return tasks
    }

    /// A task whose server the test starts by itself.
    func task(_ name: String, on node: Int) async throws -> Task {
        Task(name: name, namespace: try await topology.namespace(name), node: node, server: nil)
    }

    /// The mesh of all nodes with the network `ingress`, as each would have it after an export and an apply.
    func spec() throws -> MeshSpec {
        var spec = MeshSpec()
        for node in nodes { try spec.addNode(node.name, address: node.addresses[0]) }
        try spec.ensureIngress(node: nodes[0].name)
        return spec
    }

    /// Attaches the tasks, and publishes port 1080 of them with every transport.
    func publish(
        _ tasks: [Task], sourceIP: SourceIP = .auto, in spec: inout MeshSpec
    ) async throws {
        for task in tasks {
            try spec.attach(
                TaskAttachmentRequest(namespace: task.path, node: nodes[task.node - 1].name), service: "nginx")
        }
        for transport in try await publishableTransports() {
            try spec.publish(
                PortBinding(1080, transport), target: 80, service: "nginx",
                options: PublishOptions(sourceIP: sourceIP))
        }
    }

    /// Has all nodes publish port 1080 of the tasks.
    ///
    /// - Returns: the spec that they have.
    @discardableResult
    func publishEverywhere(_ tasks: [Task], sourceIP: SourceIP = .auto) async throws -> MeshSpec {
        var spec = try spec()
        try await publish(tasks, sourceIP: sourceIP, in: &spec)
        try await apply(spec)
        return spec
    }

    /// Starts a task which the first node reaches by a route, and publishes it as port 1081 of the balancer on the host.
    func nearTask(in spec: inout MeshSpec) async throws -> Responder {
        let (node, task) = (nodes[0].namespace, try await topology.namespace("near"))
        try await node.ip([
            "link add near type veth peer name eth0 netns \(task.name)", "addr add 10.0.0.1/24 dev near",
            "link set near up",
        ])
        try await task.ip(["addr add 10.0.0.11/24 dev eth0", "link set eth0 up", "route add default via 10.0.0.1"])
        let server = try await Responder("near", in: task, on: [.init(transport: .tcp, number: 80)])
        try spec.addTask(SpecTask(address: "10.0.0.11", node: nodes[0].name), service: "near")
        try spec.publish(PortBinding(1081, .tcp), target: 80, service: "near")
        return server
    }

    /// Gives each node the spec, and has it made so.
    func apply(_ spec: MeshSpec) async throws {
        for (index, node) in nodes.enumerated() {
            try await FileSpecStore(directory: node.stateDirectory).update { $0 = spec }
            try await meshctl("reconcile", on: index + 1)
        }
    }

    /// Gives every other node the mesh of the first.
    func exportFromFirst() async throws { try await pass(from: 1, to: Array(2...nodes.count)) }

    /// Gives other nodes the mesh of one, as an operator would.
    func pass(from node: Int, to others: [Int]) async throws {
        let file = topology.directory.appending("mesh.yaml")
        try file.write(try await meshctl("export", on: node))
        for other in others { try await meshctl("apply", "-f", file.string, on: other) }
    }

    /// Expects that no node has anything left to do.
    func expectNothingPlanned(_ when: String = "") async throws {
        for node in nodes {
            let plan = try await run(["plan"], on: node)
            #expect(plan.status == 0, "\(node.name) \(when): \(plan)")
        }
    }

    /// Runs meshctl on a node.
    func run(_ arguments: [String], on node: Node) async throws -> Ran {
        try await node.namespace.run(
            [try BuiltProducts.path("meshctl")] + arguments,
            environment: environment(of: node))
    }

    /// Runs meshctl on a node, which must succeed, and gives what it printed.
    @discardableResult
    func meshctl(_ arguments: String..., on node: Int) async throws -> String {
        let ran = try await run(arguments, on: nodes[node - 1])
        guard ran.status == 0 else { throw Shell.Failed(ran: ran) }
        return ran.output
    }

    /// The names of the namespaces that the mesh made.
    func ownNamespaces() async throws -> [String] {
        var names: [String] = []
        for node in nodes { names += await ownNamespaces(node) }
        return names
    }

    /// All that the mesh could have changed on the nodes and in the tasks, as tools print it.
    func kernelText(_ tasks: [Task], ofNodes: Bool = true) async throws -> String {
        let tools: [[String]] =
            switch tool {
            case .nftables: [["nft", "-s", "list", "ruleset"]]
            case .iptables: [["iptables-save"], ["ip6tables-save"], ["ipset", "save"]]
            }
        var text = ""
        for namespace in (ofNodes ? nodes.map(\.namespace) : []) + tasks.map(\.namespace) {
            for command in [
                ["ip", "-d", "-o", "addr"], ["ip", "rule"], ["ip", "-6", "rule"],
                ["ip", "route", "show", "table", "all"],
                ["ip", "-6", "route", "show", "table", "all"],
                ["sh", "-c", "sysctl -a 2>&1 | grep -E 'forward|localnet|rp_filter|accept_ra '"],
            ] + tools {
                // A table of iptables stays once anything has used it, empty.
                let printed = try await namespace.check(command).split(separator: "\n").filter {
                    !$0.hasPrefix("#") && !$0.hasPrefix("*") && $0 != "COMMIT"
                }
                .filter { $0.firstMatch(of: /^:[A-Z]+ ACCEPT/) == nil }.map { $0.replacing(/\[\d+:\d+\]/, with: "[]") }
                text +=
                    "\(namespace.name) $ \(command.joined(separator: " "))\n" + printed.joined(separator: "\n") + "\n"
            }
        }
        return text
    }

    /// The lines that one text has and the other has not.
    static func difference(_ after: String, _ before: String) -> String {
        let (left, right) = (after.split(separator: "\n"), before.split(separator: "\n"))
        let (more, less) = (Set(left).subtracting(right), Set(right).subtracting(left))
        return (more.map { "+ \($0)" } + less.map { "- \($0)" }).sorted().joined(separator: "\n")
    }

    /// The names of the namespaces that the mesh made on a node.
    private func ownNamespaces(_ node: Node) async -> [String] {
        let listed = (try? await Shell.run(["ip", "netns", "list"]))?.output.split(separator: "\n") ?? []
        return listed.compactMap { $0.split(separator: " ").first.map(String.init) }.filter {
            $0.hasSuffix("-\(node.name)") && $0 != node.namespace.name
        }
    }

    private func dump() async {
        for node in nodes {
            for name in await ownNamespaces(node) {
                for command in [
                    ["ipvsadm", "-Ln"], ["ip", "addr"], ["ip", "route"], ["nft", "list", "ruleset"], ["iptables-save"],
                ] {
                    guard let ran = try? await TestNamespace(name: name).run(command), !ran.output.isEmpty else {
                        continue
                    }
                    print("--- \(name): \(ran)")
                }
            }
        }
    }

    private func tearDown() async {
        for node in nodes {
            for name in await ownNamespaces(node) { _ = try? await Shell.run(["ip", "netns", "del", name]) }
        }
    }
}

extension [MeshNodes.Task] {
    func stop() { for task in self { task.server?.stop() } }
}
