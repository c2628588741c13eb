import IPVSKit
import MeshKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests {
    /// 127.0.0.1:PORT on the node itself, by the helper at the other end of a veth pair.
    @Suite struct DetourTests {
        /// Tasks see the node's address: where the helper is they do not know.
        @Test(arguments: RuleTool.tested) func balances127ToLocalTasks(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                try await host.startServers()
                try await host.addTasks("--local")
                try await host.meshctl("publish", "1080:80", "nginx")
                for address in ["127.0.0.1", "127.9.8.7"] as [IPAddress] {
                    let answers = try await host.node.get(address, port: 1080, count: 10)
                    try #require(counted(answers) == ["task1 10.11.0.1": 5, "task2 10.12.0.1": 5])
                }
                // Others are served as ever, and what is not published is not answered.
                let others = try await host.client.get(host.clientLink.near4, port: 1080, count: 10)
                #expect(counted(others) == ["task1 10.1.0.2": 5, "task2 10.1.0.2": 5])
                #expect(try await host.node.get("127.0.0.1", port: 1081, count: 1) == ["Connection refused"])

                try await host.meshctl("unpublish", "1080")
                #expect(try await host.node.get("127.0.0.1", port: 1080, count: 1) == ["Connection refused"])
                #expect(try await host.node.detourParts() == [])
            }
        }

        /// Tasks that have no route to the helper. That reverse paths are checked, strictly, changes nothing.
        @Test(arguments: RuleTool.tested) func balances127ToTasksElsewhere(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                for task in host.tasks { try await task.namespace.ip(["route del default"]) }
                try await host.startServers()
                try await host.addTasks()
                try await host.meshctl("publish", "1080:80", "nginx")
                for namespace in [host.node, try host.node.helper()] {
                    try await namespace.check("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1")
                }
                let answers = try await host.node.get("127.0.0.1", port: 1080, count: 10)
                try #require(counted(answers) == ["task1 10.11.0.1": 5, "task2 10.12.0.1": 5])
            }
        }

        @Test(arguments: RuleTool.tested) func balancesDatagramsTo127(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                var servers: [TestSocket] = []
                for task in host.tasks {
                    servers.append(try await task.namespace.answerDatagrams(on: 53, family: .ipv4, name: task.name))
                }
                defer { for server in servers { server.shutdown() } }
                try await host.addTasks("--local")
                try await host.meshctl("publish", "5353:53/udp", "nginx")
                let answers = try await host.node.ask("127.0.0.1", port: 5353, count: 20)
                try #require(counted(answers) == ["task1 10.11.0.1": 10, "task2 10.12.0.1": 10])
            }
        }

        /// Nodes are namespaces of one kernel, each with a helper of its own.
        @Test(arguments: RuleTool.tested) func twoNodesStandSideBySide(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { one in
                try await MeshHost.with(rules: tool) { base in
                    let other = MeshHost(
                        topology: base.topology, node: base.node, client: base.client, clientLink: base.clientLink,
                        tasks: base.tasks.map {
                            .init(namespace: $0.namespace, link: $0.link, name: "other-\($0.name)")
                        }, tool: base.tool)
                    for host in [one, other] {
                        try await host.startServers()
                        try await host.addTasks()
                        try await host.meshctl("publish", "1080:80", "nginx")
                    }
                    #expect(try one.node.helper().name != other.node.helper().name)
                    let answers = try await one.node.get("127.0.0.1", port: 1080, count: 10)
                    try #require(counted(answers) == ["task1 10.11.0.1": 5, "task2 10.12.0.1": 5])

                    try await one.meshctl("reset")
                    #expect(try await one.node.detourParts() == [])
                    #expect(try await other.node.detourParts().count == 2)
                    #expect(try await other.meshctl(["plan"]).status == 0)
                    let others = try await other.node.get("127.0.0.1", port: 1080, count: 10)
                    try #require(counted(others) == ["other-task1 10.11.0.1": 5, "other-task2 10.12.0.1": 5])
                }
            }
        }

        /// All but 127.0.0.1 is better than nothing, and what is in the way stays.
        @Test(arguments: RuleTool.tested) func doesWithoutWhereTheNameIsTaken(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                try await host.node.ip(["link add meshctl-lo type bridge"])
                let links = try await host.node.linkText()
                // Their settings come with the modules.
                try await Shell.check("modprobe", "-a", "ip_vs", "nf_conntrack")
                let settings = try await host.settings()
                try await host.startServers()
                try await host.addTasks("--local")
                let published = try await host.meshctl(["publish", "1080:80", "nginx"])
                try #require(published.status == 0, "\(published)")
                #expect(published.error.contains("127.0.0.1 is not answered on this host"), "\(published)")
                #expect(published.error.contains("not meshctl's"), "\(published)")
                let answers = try await host.client.get(host.clientLink.near4, port: 1080, count: 4)
                #expect(counted(answers) == ["task1 10.1.0.2": 2, "task2 10.1.0.2": 2])
                #expect(try await host.node.get("127.0.0.1", port: 1080, count: 1) == ["Connection refused"])
                // Said once, and not tried again at each pass.
                let again = try await host.meshctl(["publish", "1081:80", "nginx"])
                #expect(again.status == 0 && again.error == "", "\(again)")
                #expect(try await host.meshctl(["plan"]).status == 0)
                try await host.meshctl("reset")
                let linksNow = try await host.node.linkText()
                #expect(linksNow == links)
                let settingsNow = try await host.settings()
                #expect(settingsNow == settings)
            }
        }

        /// What was published stays, and comes back, where 127.0.0.1 can be answered no longer.
        @Test(arguments: RuleTool.tested) func goesOnWhereTheNameIsTakenLater(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                try await host.startServers()
                // Their settings come with the modules.
                try await Shell.check("modprobe", "-a", "ip_vs", "nf_conntrack")
                let settings = try await host.settings()
                try await host.addTasks("--local")
                try await host.meshctl("publish", "1080:80", "nginx")
                // No bridge, for the sake of which reset would leave forwarding on.
                // As after the host was started anew, and somebody else came first.
                try await host.node.check("ipvsadm", "-C")
                try await host.node.ip(["link del meshctl-lo", "link add meshctl-lo type dummy"])
                let links = try await host.node.linkText()
                #expect(try await host.meshctl(["plan"]).status == 2)
                let reconciled = try await host.meshctl(["reconcile"])
                #expect(reconciled.status == 0, "\(reconciled)")
                #expect(reconciled.error.contains("127.0.0.1 is not answered on this host"), "\(reconciled)")
                let planned = try await host.meshctl(["plan"])
                #expect(planned.status == 0, "\(planned)")
                let answers = try await host.client.get(host.clientLink.near4, port: 1080, count: 4)
                #expect(counted(answers) == ["task1 10.1.0.2": 2, "task2 10.1.0.2": 2])
                try await host.meshctl("reset")
                try await host.node.ip(["link del meshctl-lo"])
                let settingsNow = try await host.settings()
                #expect(settingsNow == settings, "and of the links: \(links)")
            }
        }
    }
}
