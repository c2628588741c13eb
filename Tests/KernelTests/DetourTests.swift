import IPVSKit
import MeshKit
import TestSupport
import Testing

extension KernelTests {
    /// 127.0.0.1:PORT on the node itself, by the helper at the other end of a veth pair.
    @Suite struct DetourTests {
        /// Tasks that see the client's address see the helper's, and the node's once that is masqueraded.
        @Test func balances127ToLocalTasks() async throws {
            try await MeshHost.with { host in
                try await host.startServers()
                try await host.addTasks("--local")
                try await host.meshctl("publish", "1080:80", "nginx")
                // Without the detour there is nobody at 127.0.0.1.
                let before = try await host.node.get("127.0.0.1", port: 1080, count: 1)
                #expect(before == ["Connection refused"])

                try await host.node.detour.install()
                try await host.node.typeDetourRules(ports: [("tcp", 1080)])
                for address in ["127.0.0.1", "127.9.8.7"] as [IPAddress] {
                    let answers = try await host.node.get(address, port: 1080, count: 10)
                    try #require(counted(answers) == ["task1 169.254.113.2": 5, "task2 169.254.113.2": 5])
                }

                try await host.node.iptables(
                    "-A POSTROUTING -s \(LoopbackDetour.helperAddress) -m ipvs --ipvs -j MASQUERADE")
                let masqueraded = try await host.node.get("127.0.0.1", port: 1080, count: 10)
                try #require(counted(masqueraded) == ["task1 10.11.0.1": 5, "task2 10.12.0.1": 5])

                // Others are served as before.
                let others = try await host.client.get(host.clientLink.near4, port: 1080, count: 10)
                #expect(counted(others) == ["task1 10.1.0.2": 5, "task2 10.1.0.2": 5])
                #expect(try await host.meshctl(["plan"]).status == 0)
            }
        }

        /// Tasks that have no route to the helper. That reverse paths are checked, strictly, changes nothing.
        @Test func balances127ToTasksElsewhere() async throws {
            try await MeshHost.with { host in
                for task in host.tasks { try await task.namespace.ip(["route del default"]) }
                try await host.startServers()
                try await host.addTasks()
                try await host.meshctl("publish", "1080:80", "nginx")
                try await host.node.detour.install()
                try await host.node.typeDetourRules(ports: [("tcp", 1080)])
                for namespace in [host.node, try host.node.helper()] {
                    try await namespace.check("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1")
                }
                let answers = try await host.node.get("127.0.0.1", port: 1080, count: 10)
                try #require(counted(answers) == ["task1 10.11.0.1": 5, "task2 10.12.0.1": 5])
            }
        }

        @Test func balancesDatagramsTo127() async throws {
            try await MeshHost.with { host in
                var servers: [TestSocket] = []
                for task in host.tasks {
                    servers.append(try await task.namespace.answerDatagrams(on: 53, family: .ipv4, name: task.name))
                }
                defer { for server in servers { server.shutdown() } }
                try await host.addTasks("--local")
                try await host.meshctl("publish", "5353:53/udp", "nginx")
                try await host.node.detour.install()
                try await host.node.typeDetourRules(ports: [("udp", 5353)])
                let answers = try await host.node.ask("127.0.0.1", port: 5353, count: 20)
                try #require(counted(answers) == ["task1 169.254.113.2": 10, "task2 169.254.113.2": 10])
            }
        }

        /// Nodes are namespaces of one kernel, each with a helper of its own.
        @Test func twoNodesStandSideBySide() async throws {
            try await MeshHost.with { one in
                try await MeshHost.with { base in
                    let other = MeshHost(
                        topology: base.topology, node: base.node, client: base.client, clientLink: base.clientLink,
                        tasks: base.tasks.map {
                            .init(namespace: $0.namespace, link: $0.link, name: "other-\($0.name)")
                        }, tool: base.tool)
                    for host in [one, other] {
                        try await host.startServers()
                        try await host.addTasks()
                        try await host.meshctl("publish", "1080:80", "nginx")
                        try await host.node.detour.install()
                        try await host.node.typeDetourRules(ports: [("tcp", 1080)])
                    }
                    #expect(try one.node.helper().name != other.node.helper().name)
                    let answers = try await one.node.get("127.0.0.1", port: 1080, count: 10)
                    try #require(counted(answers) == ["task1 10.11.0.1": 5, "task2 10.12.0.1": 5])

                    try await one.node.detour.remove()
                    #expect(try await one.node.detour.observe() == .absent)
                    #expect(try await other.node.detour.observe() == .intact)
                    let others = try await other.node.get("127.0.0.1", port: 1080, count: 10)
                    try #require(counted(others) == ["other-task1 10.11.0.1": 5, "other-task2 10.12.0.1": 5])
                }
            }
        }
    }
}
