import IPVSKit
import MeshKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests.MeshTests {
    /// A task on a user network reaches a service by its virtual address there, spread over the service's tasks on all
    /// nodes, itself included. A task that is not on the network cannot.
    @Test(arguments: RuleTool.tested) func tasksReachServicesByVirtualAddresses(tool: RuleTool) async throws {
        try await MeshNodes.with(rules: tool) { mesh in
            let tasks = try await mesh.tasks(on: [1, 2, 1, 1])
            defer { tasks.stop() }
            var spec = try mesh.spec()
            try spec.createNetwork("net1", subnets: ["100.0.0.0/24", "fd64::/64"])
            func attach(_ index: Int, _ service: String, _ networks: [String]) throws {
                try spec.attach(
                    TaskAttachmentRequest(
                        namespace: tasks[index].path, node: mesh.nodes[tasks[index].node - 1].name, networks: networks),
                    service: service)
            }
            try attach(0, "nginx", ["net1"])
            try attach(1, "nginx", ["net1"])
            try attach(2, "redis", ["net1"])
            try attach(3, "loner", [])
            try await mesh.apply(spec)
            try await mesh.expectNothingPlanned()
            let virtual = try #require(spec.services["nginx"]?.virtualAddresses["net1"]?.addresses)
            #expect(virtual.map(\.family) == [.ipv4, .ipv6])
            for transport in try await publishableTransports() {
                for address in virtual {
                    for client in [tasks[2], tasks[0], tasks[1]] {
                        let answers = try await client.namespace.ask(transport, address, 80, times: 8)
                        let names = counted(
                            answers.flatMap { Array(repeating: String($0.key.prefix { $0 != " " }), count: $0.value) })
                        #expect(
                            names == ["web1": 4, "web2": 4],
                            "\(transport) to \(address) from \(client.name): \(answers)")
                    }
                }
            }
            for address in virtual {
                let answers = try await tasks[3].namespace.ask(.tcp, address, 80)
                #expect(answers.keys.allSatisfy { !$0.hasPrefix("web") }, "\(answers)")
            }
        }
    }

    /// Services join and leave a network while their tasks run, and a task may be that of two services.
    @Test(arguments: RuleTool.tested) func runningServicesJoinAndLeaveANetwork(tool: RuleTool) async throws {
        try await MeshNodes.with(rules: tool) { mesh in
            let tasks = try await mesh.tasks(on: [1, 1, 1])
            defer { tasks.stop() }
            for (task, service) in zip(tasks, ["nginx", "nginx", "redis"]) {
                try await mesh.meshctl("task", "attach", service, "--netns", task.namespace.name, on: 1)
            }
            let shared = try await mesh.meshctl("task", "attach", "metrics", "--netns", tasks[0].namespace.name, on: 1)
            #expect(shared.contains("metrics has 1 task, including 10.255.0.3 on node node1"), "\(shared)")
            try await mesh.meshctl("publish", "1080:80", "nginx", on: 1)
            try await mesh.meshctl("publish", "9100:80", "metrics", on: 1)
            func expectPorts(_ when: String) async throws {
                let plan = try await mesh.run(["plan"], on: mesh.nodes[0])
                #expect(plan.status == 0, "\(when): \(plan)")
                for (port, names): (UInt16, [String: Int]) in [(1080, ["web1": 2, "web2": 2]), (9100, ["web1": 4])] {
                    let answers = try await mesh.client.ask(.tcp, mesh.nodes[0].addresses[0], port, times: 4)
                    let expected = Dictionary(uniqueKeysWithValues: names.map { ("\($0) 192.168.5.9 80", $1) })
                    #expect(answers == expected, "\(when): \(port)")
                }
            }
            try await expectPorts("at first")
            let before = try await tasks[0].namespace.check("ip", "-o", "address")
            try await mesh.meshctl("network", "create", "net1", "--subnet", "100.0.0.0/24", on: 1)
            try await mesh.meshctl("network", "connect", "net1", "nginx", "redis", "metrics", on: 1)
            try await expectPorts("on the network")
            let virtual = try #require(
                try await FileSpecStore(directory: mesh.nodes[0].stateDirectory).load().services["nginx"]?
                    .virtualAddresses["net1"]?.addresses.first)
            let answers = try await tasks[2].namespace.ask(.tcp, virtual, 80, times: 4)
            let names = counted(
                answers.flatMap { Array(repeating: String($0.key.prefix { $0 != " " }), count: $0.value) })
            #expect(names == ["web1": 2, "web2": 2], "\(answers)")
            try await mesh.meshctl("network", "disconnect", "net1", "redis", on: 1)
            try await expectPorts("once redis has left")
            let none = try await tasks[2].namespace.ask(.tcp, virtual, 80)
            #expect(none.keys.allSatisfy { !$0.hasPrefix("web") }, "\(none)")
            try await mesh.meshctl("network", "disconnect", "net1", "nginx", "metrics", on: 1)
            try await mesh.meshctl("network", "rm", "net1", on: 1)
            try await expectPorts("once all have left")
            #expect(try await tasks[0].namespace.check("ip", "-o", "address") == before)
            // The other service keeps its task.
            try await mesh.meshctl("task", "detach", "nginx", "--netns", tasks[0].namespace.name, on: 1)
            let metrics = try await mesh.client.ask(.tcp, mesh.nodes[0].addresses[0], 9100, times: 2)
            #expect(metrics == ["web1 192.168.5.9 80": 2], "\(metrics)")
        }
    }

    /// A task that has a way out of its own, as a container has, keeps it. It is reached by it as before, and by the
    /// published port of each node, also with datagrams to a socket that is bound to no address.
    @Test(arguments: RuleTool.tested) func aTaskKeepsItsOwnDefaultRoute(tool: RuleTool) async throws {
        try await MeshNodes.with(rules: tool) { mesh in
            let tasks = try await mesh.tasks(on: [1])
            defer { tasks.stop() }
            let task = tasks[0].namespace
            let link = try await mesh.topology.link(mesh.nodes[0].namespace, task, number: 20)
            try await task.ip(["route add default via \(link.near4)"])
            try await task.ip(["route add default via \(link.near6)"], options: "-6")
            try await mesh.meshctl("node", "add", "node1", "--address", "192.168.5.1", on: 1)
            try await mesh.meshctl("node", "add", "node2", "--address", "192.168.5.2", on: 1)
            try await mesh.meshctl("task", "attach", "nginx", "--netns", tasks[0].namespace.name, on: 1)
            for transport in try await publishableTransports() {
                try await mesh.meshctl("publish", "1080:80/\(transport)", "nginx", on: 1)
            }
            try await mesh.exportFromFirst()
            try await mesh.expectNothingPlanned()
            let routes = try await task.check("ip", "route", "show", "default")
            #expect(routes.contains("via \(link.near4)") && !routes.contains("meshgw"), "\(routes)")
            for transport in try await publishableTransports() {
                for node in mesh.nodes {
                    for (address, client) in zip(node.addresses, MeshNodes.clientAddresses) {
                        let answers = try await mesh.client.ask(transport, address, 1080, times: 4)
                        #expect(answers == ["web1 \(client) 80": 4], "\(transport) by \(address)")
                    }
                    let own = try await node.namespace.ask(transport, "127.0.0.1", 1080, times: 2, from: "127.0.0.1")
                    #expect(own == ["web1 169.254.113.5 80": 2], "\(transport) from \(node.name)")
                }
                for (far, near) in [(link.far4, link.near4), (link.far6, link.near6)] {
                    let answers = try await mesh.nodes[0].namespace.ask(transport, far, 80, times: 2)
                    #expect(answers == ["web1 \(near) 80": 2], "\(transport) to \(far)")
                    let ports = try await task.ask(
                        transport, mesh.nodes[0].addresses[far.family == .ipv4 ? 0 : 1], 1080, times: 2)
                    #expect(ports.keys.allSatisfy { $0.hasPrefix("web1 ") }, "\(transport) to itself: \(ports)")
                }
            }
        }
    }

    /// The whole of it by commands: the first node is told everything, and the others take its export.
    @Test(arguments: RuleTool.tested) func commandsBuildAMesh(tool: RuleTool) async throws {
        try await MeshNodes.with(3, rules: tool) { mesh in
            let tasks = try await mesh.tasks(on: [1, 2])
            defer { tasks.stop() }
            for (index, node) in mesh.nodes.enumerated() {
                try await mesh.meshctl("node", "add", node.name, "--address", "192.168.5.\(index + 1)", on: 1)
            }
            try await mesh.meshctl("network", "create", "net1", "--subnet", "100.0.0.0/24", on: 1)
            for task in tasks {
                try await mesh.meshctl(
                    "task", "attach", "nginx", "--netns", task.namespace.name, "--node", "node\(task.node)",
                    "--network", "net1", on: 1)
            }
            try await mesh.meshctl("publish", "1080:80", "nginx", on: 1)
            try await mesh.exportFromFirst()
            try await mesh.expectNothingPlanned()
            for node in mesh.nodes {
                let answers = try await mesh.client.ask(.tcp, node.addresses[0], 1080, times: 4)
                #expect(answers == ["web1 192.168.5.9 80": 2, "web2 192.168.5.9 80": 2], "by \(node.name)")
            }
            // What one node exports, every node exports.
            let exports = Set(
                try await [mesh.meshctl("export", on: 1), mesh.meshctl("export", on: 2), mesh.meshctl("export", on: 3)])
            #expect(exports.count == 1, "\(exports)")
            let network = try await mesh.meshctl("network", "inspect", "net1", on: 2)
            #expect(network.contains("100.0.0.0/24") && network.contains("node1"), "\(network)")
            for number in 1...3 { try await mesh.meshctl("reset", on: number) }
            #expect(try await mesh.ownNamespaces() == [])
        }
    }
}

extension KernelTests.MeshTests {
    /// A task that another node has recorded keeps the way out that it has of its own, which only its own node can see.
    @Test(arguments: RuleTool.tested) func aTaskRecordedElsewhereKeepsItsOwnDefaultRoute(tool: RuleTool) async throws {
        try await MeshNodes.with(rules: tool) { mesh in
            let tasks = try await mesh.tasks(on: [2])
            defer { tasks.stop() }
            let task = tasks[0].namespace
            let link = try await mesh.topology.link(mesh.nodes[1].namespace, task, number: 20)
            try await task.ip(["route add default via \(link.near4)"])
            for (index, node) in mesh.nodes.enumerated() {
                try await mesh.meshctl("node", "add", node.name, "--address", "192.168.5.\(index + 1)", on: 1)
            }
            try await mesh.meshctl("task", "attach", "nginx", "--netns", task.name, "--node", "node2", on: 1)
            for transport in [TransportProtocol.tcp, .udp] {
                try await mesh.meshctl("publish", "1080:80/\(transport)", "nginx", on: 1)
            }
            try await mesh.exportFromFirst()
            try await mesh.expectNothingPlanned()
            let routes = try await task.check("ip", "route", "show", "default")
            #expect(routes.contains("via \(link.near4)") && !routes.contains("meshgw"), "\(routes)")
            for transport in [TransportProtocol.tcp, .udp] {
                for node in mesh.nodes {
                    for (address, client) in zip(node.addresses, MeshNodes.clientAddresses) {
                        let answers = try await mesh.client.ask(transport, address, 1080, times: 4)
                        #expect(answers == ["web1 \(client) 80": 4], "\(transport) by \(address)")
                    }
                }
            }
        }
    }
}
