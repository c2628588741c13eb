import IPVSKit
import MeshKit
import TestSupport
import Testing

extension KernelTests {
    /// Real nginx behind a published port, and real requests.
    @Suite struct PublishTests {
        @Test(arguments: RuleTool.tested) func balancesEvenlyOverBothFamiliesAndKeepsTheClientsAddress(tool: RuleTool)
            async throws
        {
            try await MeshHost.with(rules: tool) { host in
                try await host.startServers()
                try await host.addTasks("--local")
                let published = try await host.meshctl("publish", "1080:80", "nginx")
                #expect(
                    published == """
                        1080/tcp -> nginx:80   4 tasks   client address kept
                        try:   curl http://\(host.clientLink.near4):1080/      see:  meshctl status

                        """)

                let overIPv4 = try await host.client.get(host.clientLink.near4, port: 1080, count: 100)
                try #require(counted(overIPv4) == ["task1 10.1.0.2": 50, "task2 10.1.0.2": 50])
                let overIPv6 = try await host.client.get(host.clientLink.near6, port: 1080, count: 100)
                try #require(counted(overIPv6) == ["task1 fd01::2": 50, "task2 fd01::2": 50])

                let list = try await host.node.check("ipvsadm", "-Ln")
                    .split(separator: "\n").dropFirst(3).map {
                        $0.split(separator: " ").prefix(5).joined(separator: " ")
                    }
                #expect(
                    list == [
                        "FWM 256 rr", "-> 10.11.0.2:80 Masq 1 0", "-> 10.12.0.2:80 Masq 1 0",
                        "FWM 256 IPv6 rr", "-> [fd0b::2]:80 Masq 1 0", "-> [fd0c::2]:80 Masq 1 0",
                    ])

                let store = try host.storeText()
                let kernel = try await host.kernelText()
                try await host.meshctl("publish", "1080:80", "nginx")
                let storeNow1 = try host.storeText()
                #expect(storeNow1 == store)
                let kernelNow2 = try await host.kernelText()
                #expect(kernelNow2 == kernel)
                #expect(try await host.meshctl(["plan"]).status == 0)

                let status = try await host.meshctl("status")
                #expect(status.contains("1080->80/tcp  nginx    4/4"))
            }
        }

        /// A task elsewhere, whose replies would not come back by this node: it has no route to the client.
        @Test(arguments: RuleTool.tested) func hidesTheClientWhereRepliesWouldNotComeBack(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                for task in host.tasks {
                    try await task.namespace.ip(["route del default"])
                    try await task.namespace.ip(["route del default"], options: "-6")
                }
                try await host.startServers()
                try await host.addTasks()
                try await host.meshctl("publish", "1080:80", "nginx")
                let overIPv4 = try await host.client.get(host.clientLink.near4, port: 1080, count: 10)
                try #require(counted(overIPv4) == ["task1 10.11.0.1": 5, "task2 10.12.0.1": 5])
                let overIPv6 = try await host.client.get(host.clientLink.near6, port: 1080, count: 10)
                try #require(counted(overIPv6) == ["task1 fd0b::1": 5, "task2 fd0c::1": 5])
            }
        }

        @Test(arguments: RuleTool.tested) func balancesDatagrams(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                var servers: [TestSocket] = []
                for task in host.tasks {
                    for family in AddressFamily.allCases {
                        servers.append(
                            try await task.namespace.answerDatagrams(on: 53, family: family, name: task.name))
                    }
                }
                defer { for server in servers { server.shutdown() } }
                try await host.addTasks("--local")
                try await host.meshctl("publish", "5353:53/udp", "nginx")
                let overIPv4 = try await host.client.ask(host.clientLink.near4, port: 5353, count: 20)
                try #require(counted(overIPv4) == ["task1 10.1.0.2": 10, "task2 10.1.0.2": 10])
                let overIPv6 = try await host.client.ask(host.clientLink.near6, port: 5353, count: 20)
                try #require(counted(overIPv6) == ["task1 fd01::2": 10, "task2 fd01::2": 10])
            }
        }

        /// As every host with Docker has it: policy DROP in FORWARD, which the tasks' replies cross. iptables lets them
        /// through by a chain of its own; nftables cannot, and says what to type.
        @Test(arguments: RuleTool.tested, [["--local"], []])
        func worksBehindAForwardPolicyOfDrop(tool: RuleTool, options: [String]) async throws {
            try await MeshHost.with(rules: tool) { host in
                for tool in ["iptables", "ip6tables"] { try await host.node.check(tool, "-P", "FORWARD", "DROP") }
                try await host.startServers()
                for task in host.tasks {
                    for address in [task.link.far4, task.link.far6] {
                        let ran = try await host.meshctl(["task", "add", "nginx", "\(address)"] + options)
                        try #require(ran.status == 0)
                    }
                }
                let published = try await host.meshctl(["publish", "1080:80", "nginx"])
                try #require(published.status == 0, "\(published)")
                let advice = published.error.split(separator: "\n").compactMap { line in
                    line.wholeMatch(of: /meshctl:   type:  (.*)/).map { $0.1.split(separator: " ").map(String.init) }
                }
                switch tool {
                case .iptables: #expect(published.error == "")
                case .nftables:
                    #expect(advice.count == 4, "\(published)")
                    let before = try await host.client.get(host.clientLink.near4, port: 1080, count: 1)
                    #expect(before.allSatisfy { !$0.hasPrefix("task") }, "\(before)")
                    for line in advice { try await host.node.check(line) }
                }
                let overIPv4 = try await host.client.get(host.clientLink.near4, port: 1080, count: 4)
                try #require(overIPv4.filter { $0.hasPrefix("task") }.count == 4, "\(overIPv4)")
                let overIPv6 = try await host.client.get(host.clientLink.near6, port: 1080, count: 4)
                try #require(overIPv6.filter { $0.hasPrefix("task") }.count == 4, "\(overIPv6)")
            }
        }

        @Test(arguments: RuleTool.tested) func theNodeReachesItsOwnPublishedPort(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                try await host.startServers()
                try await host.addTasks("--local")
                try await host.meshctl("publish", "1080:80", "nginx")
                let overIPv4 = try await host.node.get(host.clientLink.near4, port: 1080, count: 4)
                #expect(overIPv4.filter { $0.hasPrefix("task") }.count == 4, "\(overIPv4)")
                let overIPv6 = try await host.node.get(host.clientLink.near6, port: 1080, count: 4)
                #expect(overIPv6.filter { $0.hasPrefix("task") }.count == 4, "\(overIPv6)")
                let overLoopback = try await host.node.get("127.0.0.1", port: 1080, count: 4)
                #expect(counted(overLoopback) == ["task1 10.11.0.1": 2, "task2 10.12.0.1": 2])
                let overLoopback6 = try await host.node.get("::1", port: 1080, count: 4)
                #expect(counted(overLoopback6) == ["task1 fd0b::1": 2, "task2 fd0c::1": 2])
            }
        }

        /// A mark on the destination port alone would catch the answers to these, and send them to a task.
        @Test(arguments: RuleTool.tested) func theNodesOwnConnectionsMayHaveAPublishedSourcePort(tool: RuleTool)
            async throws
        {
            try await MeshHost.with(rules: tool) { host in
                try await host.startServers()
                try await host.addTasks("--local")
                try await host.meshctl("publish", "1080:80", "nginx")
                let task = host.tasks[0]
                #expect(
                    try await host.node.get(task.link.far4, port: 80, count: 1, fromPort: 1080) == ["task1 10.11.0.1"])
                #expect(
                    try await host.node.get(task.link.far6, port: 80, count: 1, fromPort: 1080) == ["task1 fd0b::1"])
            }
        }

        @Test(arguments: RuleTool.tested) func weightsAndTargetPortsCount(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                try await host.startServers(port: 8080)
                try await host.addTasks("--local")
                try await host.meshctl("task", "add", "nginx", "10.11.0.2", "--local", "--weight", "3")
                try await host.meshctl("publish", "1080:8080", "nginx", "--scheduler", "wrr")
                let answers = try await host.client.get(host.clientLink.near4, port: 1080, count: 40)
                try #require(counted(answers) == ["task1 10.1.0.2": 30, "task2 10.1.0.2": 10])

                try await host.meshctl("task", "rm", "nginx", "10.11.0.2")
                let rest = try await host.client.get(host.clientLink.near4, port: 1080, count: 10)
                #expect(counted(rest) == ["task2 10.1.0.2": 10])

                try await host.meshctl("unpublish", "1080")
                #expect(
                    try await host.client.get(host.clientLink.near4, port: 1080, count: 1) == ["Connection refused"])
            }
        }
    }
}
