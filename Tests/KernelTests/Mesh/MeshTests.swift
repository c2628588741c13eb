import IPVSKit
import MeshKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests {
    /// The routing mesh: a published port answers on every node, whichever node runs the task.
    @Suite struct MeshTests {
        /// By each protocol and in each family: a client elsewhere, and each node itself by its own address, by
        /// 127.0.0.1 and by ::1. The task is on one node only, and sees the client's own address.
        @Test(arguments: RuleTool.tested) func aPortAnswersOnEveryNode(tool: RuleTool) async throws {
            try await MeshNodes.with(rules: tool) { mesh in
                let tasks = try await mesh.tasks(on: [2])
                defer { tasks.stop() }
                try await mesh.publishEverywhere(tasks)
                try await mesh.expectNothingPlanned()
                for transport in try await publishableTransports() {
                    for node in mesh.nodes {
                        for (address, client) in zip(node.addresses, MeshNodes.clientAddresses) {
                            let answers = try await mesh.client.ask(transport, address, 1080, times: 4)
                            #expect(answers == ["web1 \(client) 80": 4], "\(transport) by \(address)")
                            let own = try await node.namespace.ask(transport, address, 1080, times: 4, from: address)
                            #expect(own == ["web1 \(address) 80": 4], "\(transport) from \(node.name) by \(address)")
                        }
                        for (loopback, seen) in [("127.0.0.1", "169.254.113.5"), ("::1", "fd6d:6573:6863:746c::1")] {
                            let answers = try await node.namespace.ask(
                                transport, IPAddress(loopback)!, 1080, times: 4, from: IPAddress(loopback)!)
                            #expect(answers == ["web1 \(seen) 80": 4], "\(transport) from \(node.name) by \(loopback)")
                        }
                    }
                }
            }
        }

        /// Each of three nodes spreads its connections evenly over the tasks of all nodes. A task reaches the port of
        /// its own node, also if it is balanced to itself, and the port of another node.
        @Test(arguments: RuleTool.tested) func eachNodeSpreadsOverAllTasks(tool: RuleTool) async throws {
            try await MeshNodes.with(3, rules: tool) { mesh in
                let tasks = try await mesh.tasks(on: [1, 2, 3])
                defer { tasks.stop() }
                try await mesh.publishEverywhere(tasks)
                for transport in try await publishableTransports() {
                    for node in mesh.nodes {
                        for (address, client) in zip(node.addresses, MeshNodes.clientAddresses) {
                            let answers = try await mesh.client.ask(transport, address, 1080, times: 9)
                            #expect(
                                answers == [
                                    "web1 \(client) 80": 3, "web2 \(client) 80": 3, "web3 \(client) 80": 3,
                                ], "\(transport) by \(address)")
                        }
                    }
                    for (index, node) in mesh.nodes.enumerated() {
                        for address in node.addresses {
                            let answers = try await tasks[0].namespace.ask(transport, address, 1080, times: 9)
                            let names = answers.reduce(into: [:]) { counts, answer in
                                counts[answer.key.prefix { $0 != " " }, default: 0] += answer.value
                            }
                            #expect(
                                names == ["web1": 3, "web2": 3, "web3": 3],
                                "\(transport) from a task of node1 by node\(index + 1): \(answers)")
                        }
                    }
                }
            }
        }

        /// One number at an address of each family leads to two services, and at two addresses of one family to one.
        @Test(arguments: RuleTool.tested) func oneNumberAtSeveralAddresses(tool: RuleTool) async throws {
            try await MeshNodes.with(1, rules: tool) { mesh in
                let node = mesh.nodes[0]
                let (tasks, second) = (try await mesh.tasks(on: [1, 1]), IPAddress("192.168.5.201"))
                defer { tasks.stop() }
                try await node.namespace.ip(["addr add \(second)/24 dev up0"])
                var spec = try mesh.spec()
                for (index, task) in tasks.enumerated() {
                    try spec.attach(
                        TaskAttachmentRequest(namespace: task.path, node: node.name), service: "s\(index + 1)")
                }
                for (address, service) in [(node.addresses[0], "s1"), (node.addresses[1], "s2"), (second, "s1")] {
                    try spec.publish(PortBinding(3080, .tcp, at: address), target: 80, service: service)
                }
                try await mesh.apply(spec)
                try await mesh.expectNothingPlanned()
                for (address, name) in [(node.addresses[0], "web1 "), (node.addresses[1], "web2 "), (second, "web1 ")] {
                    let answers = try await mesh.client.ask(.tcp, address, 3080, times: 2)
                    #expect(answers.keys.allSatisfy { $0.hasPrefix(name) }, "\(address): \(answers)")
                }
                // When one of two equal ports leaves, the other one goes on.
                try await mesh.meshctl("unpublish", "\(node.addresses[0]):3080", on: 1)
                let left = try await mesh.client.ask(.tcp, second, 3080, times: 2)
                #expect(left.keys.allSatisfy { $0.hasPrefix("web1 ") }, "\(left)")
                #expect(try await mesh.client.ask(.tcp, node.addresses[0], 3080) == ["Connection refused": 1])
            }
        }

        /// The network `ingress` leads to published ports, and is no network between tasks.
        @Test(arguments: RuleTool.tested) func noTaskReachesAnotherByIngress(tool: RuleTool) async throws {
            try await MeshNodes.with(rules: tool) { mesh in
                let tasks = try await mesh.tasks(on: [1, 1, 2])
                defer { tasks.stop() }
                let spec = try await mesh.publishEverywhere(tasks)
                let attachments = try #require(spec.services["nginx"]).tasks.compactMap(\.attachment)
                for attachment in attachments where attachment.namespace != tasks[0].path {
                    for address in attachment.addresses[MeshNetwork.ingress] ?? [] {
                        for transport in [TransportProtocol.tcp, .udp] {
                            let answers = try await tasks[0].namespace.ask(transport, address, 80)
                            #expect(
                                !answers.keys.contains { $0.hasPrefix("web") }, "\(transport) to \(address): \(answers)"
                            )
                        }
                        // They are neighbours: it is the task that does not answer.
                        let neighbour = try await tasks[0].namespace.check("ip", "neigh", "show", "\(address)")
                        #expect(neighbour.contains("lladdr"), "\(address): \(neighbour)")
                    }
                }
                // A task reaches itself, and everybody by the published port.
                let own = try await tasks[0].namespace.ask(
                    .tcp, try #require(attachments[0].addresses[MeshNetwork.ingress])[0], 80)
                #expect(own.keys.allSatisfy { $0.hasPrefix("web1") }, "\(own)")
                let answers = try await tasks[0].namespace.ask(.tcp, mesh.nodes[1].addresses[0], 1080, times: 6)
                #expect(
                    answers.values.reduce(0, +) == 6 && answers.keys.allSatisfy { $0.hasPrefix("web") }, "\(answers)")
            }
        }

        /// With `nat`, tasks see the sandbox of the node that the client chose.
        @Test(arguments: RuleTool.tested) func withNATTasksSeeTheNodesSandbox(tool: RuleTool) async throws {
            try await MeshNodes.with(rules: tool) { mesh in
                let tasks = try await mesh.tasks(on: [2])
                defer { tasks.stop() }
                let spec = try await mesh.publishEverywhere(tasks, sourceIP: .nat)
                for transport in try await publishableTransports() {
                    for node in mesh.nodes {
                        let sandbox = try #require(spec.networks[MeshNetwork.ingress]?.balancers[node.name])
                        for (address, seen) in zip(node.addresses, sandbox) {
                            let answers = try await mesh.client.ask(transport, address, 1080, times: 4)
                            #expect(answers == ["web1 \(seen) 80": 4], "\(transport) by \(address)")
                        }
                    }
                }
            }
        }

        /// After `reset`, each namespace holds what it held before, and none of the mesh's namespaces is left.
        @Test(arguments: RuleTool.tested) func resetLeavesNothing(tool: RuleTool) async throws {
            try await MeshNodes.with(rules: tool) { mesh in
                let tasks = try await mesh.tasks(on: [1, 2])
                defer { tasks.stop() }
                let before = try await mesh.kernelText(tasks)
                try await mesh.publishEverywhere(tasks)
                let standing = try await mesh.kernelText(tasks)
                #expect(MeshNodes.difference(standing, before) != "")
                for number in 1...2 { try await mesh.meshctl("reset", on: number) }
                let after = try await mesh.kernelText(tasks)
                #expect(MeshNodes.difference(after, before) == "")
                #expect(try await mesh.ownNamespaces() == [])
            }
        }

        /// Without the documents, `reset --all` finds all that the node made by the marks that the kernel keeps. Only the
        /// settings stay, since their former values were in the documents.
        @Test(arguments: RuleTool.tested) func resetFindsWhatTheLostDocumentsKnewOf(tool: RuleTool) async throws {
            try await MeshNodes.with(rules: tool) { mesh in
                let tasks = try await mesh.tasks(on: [1, 2])
                defer { tasks.stop() }
                let before = try await mesh.kernelText(tasks)
                try await mesh.publishEverywhere(tasks)
                try await mesh.expectNothingPlanned()
                for node in mesh.nodes {
                    try await Shell.check("sh", "-c", "rm \(node.stateDirectory.string)/*.json")
                }
                // Each node takes down its own alone.
                try await mesh.meshctl("reset", "--all", on: 2)
                let answers = try await mesh.client.ask(.tcp, mesh.nodes[0].addresses[0], 1080, times: 2)
                #expect(answers["web1 192.168.5.9 80"] != nil, "\(answers)")
                try await mesh.meshctl("reset", "--all", on: 1)
                let after = try await mesh.kernelText(tasks)
                let left = MeshNodes.difference(after, before).split(separator: "\n").filter {
                    // The kernel adds anycast addresses where IPv6 is forwarded.
                    !$0.contains(" net.") && !$0.contains(" anycast ")
                }
                #expect(left == [])
                #expect(try await mesh.ownNamespaces() == [])
                for node in mesh.nodes { #expect(try await node.namespace.check(["ipvsadm", "-Sn"]) == "") }
            }
        }

        /// A task that is detached has nothing of the mesh left, and gets no connections; the others go on.
        @Test(arguments: RuleTool.tested) func aTaskIsDetachedWhole(tool: RuleTool) async throws {
            try await MeshNodes.with(rules: tool) { mesh in
                let tasks = try await mesh.tasks(on: [1, 2])
                defer { tasks.stop() }
                let before = try await mesh.kernelText([tasks[1]], ofNodes: false)
                var spec = try await mesh.publishEverywhere(tasks)
                try spec.detach(.namespace(tasks[1].path, node: "node2"), service: "nginx")
                try await mesh.apply(spec)
                try await mesh.expectNothingPlanned()
                let after = try await mesh.kernelText([tasks[1]], ofNodes: false)
                #expect(MeshNodes.difference(after, before) == "")
                for node in mesh.nodes {
                    let answers = try await mesh.client.ask(.tcp, node.addresses[0], 1080, times: 4)
                    #expect(answers == ["web1 192.168.5.9 80": 4])
                }
            }
        }

        /// A task whose namespace is gone costs a note, and no connection.
        @Test(arguments: RuleTool.tested) func aTaskMayVanish(tool: RuleTool) async throws {
            try await MeshNodes.with(rules: tool) { mesh in
                let tasks = try await mesh.tasks(on: [1, 1])
                defer { tasks.stop() }
                try await mesh.publishEverywhere(tasks)
                tasks[1].server?.stop()
                try await Shell.check("ip", "netns", "del", tasks[1].namespace.name)
                let plan = try await mesh.run(["plan"], on: mesh.nodes[0])
                #expect(plan.status == 2 && plan.error.contains("is gone"), "\(plan)")
                try await mesh.meshctl("reconcile", on: 1)
                try await mesh.expectNothingPlanned()
                let answers = try await mesh.client.ask(.tcp, mesh.nodes[0].addresses[0], 1080, times: 4)
                #expect(answers == ["web1 192.168.5.9 80": 4])
            }
        }
    }
}
