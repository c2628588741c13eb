import IPVSKit
import MeshKit
import Netlink
import RuleKit
import TestSupport
import Testing

extension KernelTests.TrafficTests {
    private static let schedulers: [Scheduler] = ["rr", "wrr", "wlc", "sh", "mh"]

    /// With a published port that is not the task's: IPVS translates no port of a service that is persistent.
    @Test(arguments: RuleTool.tested) func stickyClientsStayWithTheirTasks(tool: RuleTool) async throws {
        try await MeshHost.with(rules: tool) { host in
            let servers = try await host.serve(80, [.tcp, .udp])
            defer { servers.stop() }
            let clients = try await host.addClientAddresses(20)
            try await host.configure { state in
                for (number, scheduler) in Self.schedulers.enumerated() {
                    let options = PublishOptions(scheduler: scheduler, stickySeconds: 600)
                    for transport in [TransportProtocol.tcp, .udp] {
                        try state.publish(
                            PortBinding(1080 + UInt16(number), transport), target: 80, service: "\(scheduler)",
                            options: options)
                    }
                    try state.addTasks(of: host, service: "\(scheduler)")
                }
            }
            for (number, scheduler) in Self.schedulers.enumerated() {
                for transport in [TransportProtocol.tcp, .udp] {
                    // All of them in turn, five times, each time from a port of its own: translated, the services are one
                    // to IPVS, which for minutes sends what comes from the same port where the last went.
                    let rounds = 5
                    let requests = (0..<rounds).flatMap { round in
                        clients.map { client, address in
                            Request(
                                transport: transport, address: address, port: 1080 + UInt16(number), from: client,
                                fromPort: 20000 + UInt16(number * rounds + round))
                        }
                    }
                    let answers = try await host.client.answers(to: requests)
                    try #require(answers.count == rounds * clients.count, "\(scheduler), \(transport): \(answers)")
                    var tasks: [String: Int] = [:]
                    for (index, (client, _)) in clients.enumerated() {
                        let own = Set(stride(from: index, to: answers.count, by: clients.count).map { answers[$0] })
                        #expect(
                            own == ["task1 \(client) 80"] || own == ["task2 \(client) 80"],
                            "\(scheduler), \(transport): \(client) saw \(own)")
                        tasks[String(own.first?.prefix(5) ?? ""), default: 0] += 1
                    }
                    // Those that do not go by the client's address share out evenly.
                    let isEven = tasks == ["task1": 20, "task2": 20]
                    #expect(isEven || scheduler == "sh" || scheduler == "mh", "\(scheduler), \(transport): \(tasks)")
                }
            }
        }
    }

    /// A port that is translated before IPVS sees it would else be the node's own where no task takes it.
    @Test(arguments: RuleTool.tested) func stickyPortsWithoutATaskReachNoProgramOfTheNode(tool: RuleTool) async throws {
        try await MeshHost.with(tasks: 1, rules: tool) { host in
            let ports: [Responder.Port] = [80, 90, 3005].map { .init(transport: .tcp, number: $0) }
            let servers = try await host.serve(ports)
            defer { servers.stop() }
            let own = try await Responder("node", in: host.node, on: ports)
            defer { own.stop() }
            let task = host.tasks[0].link
            try await host.configure { state in
                for (service, base) in [("some", 1000), ("none", 2000)] as [(String, UInt16)] {
                    try state.publish(
                        PortBinding(base, .tcp), target: 80, service: service,
                        options: PublishOptions(stickySeconds: 600))
                    try state.publish(PortBinding(base + 1...base + 9, .tcp), target: 3001, service: service)
                }
                // To IPVS the second is to be the first, where a program of the node's listens.
                for port: UInt16 in [90, 91] {
                    try state.publish(PortBinding(port, .tcp), target: 80, service: "twins")
                }
                try state.addTask(.local(task.far4), service: "some")
            }
            let (over4, over6) = (host.places[0], host.places[1])
            func expect(_ answer: String?, _ near: IPAddress, _ ports: [UInt16], from client: TestNamespace)
                async throws
            {
                for port in ports {
                    let answers = try await client.ask(.tcp, near, port)
                    #expect(answers == [answer ?? "Connection refused": 1], "port \(port) of \(near)")
                }
            }
            for client in [host.client, host.node] {
                try await expect(nil, over4.near, [2000, 2005, 91], from: client)
                try await expect(nil, over6.near, [1000, 1005, 2000, 2005, 91], from: client)
            }
            try await expect("task1 \(over4.far) 80", over4.near, [1000], from: host.client)
            try await expect("task1 \(over4.far) 3005", over4.near, [1005], from: host.client)

            try await host.configure { state in
                try state.removeTask(task.far4, service: "some")
                try state.addTask(.local(task.far6), service: "some")
            }
            try await expect(nil, over4.near, [1000, 1005], from: host.client)
            try await expect("task1 \(over6.far) 80", over6.near, [1000], from: host.client)
            try await expect("task1 \(over6.far) 3005", over6.near, [1005], from: host.client)
            #expect(try await host.meshctl(["plan"]).status == 0)
        }
    }

    /// Who connects meanwhile notices nothing, though who translates the port is another.
    @Test(arguments: RuleTool.tested) func stickinessIsSwitchedWhileClientsConnect(tool: RuleTool) async throws {
        try await MeshHost.with(rules: tool) { host in
            let servers = try await host.serve(80, [.tcp])
            defer { servers.stop() }
            try await host.publishTasks()
            let isDone = Locked(false)
            let (client, addresses) = (host.client, host.places.map(\.near))
            async let answers = client.thread {
                var answers: [String: Int] = [:]
                while !isDone.withLock({ $0 }) {
                    for near in addresses {
                        answers[Request.steady(near, port: 1080).answer(), default: 0] += 1
                    }
                }
                return answers
            }
            for _ in 0..<soaked(50) {
                for time in ["10m", "off"] { try await host.meshctl("publish", "1080:80", "nginx", "--sticky", time) }
            }
            isDone.withLock { $0 = true }
            let seen = try await answers
            let expected = Set(host.places.flatMap { ["task1 \($0.far) 80", "task2 \($0.far) 80"] })
            #expect(Set(seen.keys).isSubset(of: expected), "\(seen)")
        }
    }

    /// A hashing scheduler that finds a task at weight 0 is to choose another, and not to refuse the client.
    @Test(arguments: RuleTool.tested) func noClientOfADrainingTaskIsRefused(tool: RuleTool) async throws {
        try await MeshHost.with(rules: tool) { host in
            let servers = try await host.serve(80, [.tcp, .udp])
            defer { servers.stop() }
            let clients = try await host.addClientAddresses(20)
            let schedulers: [Scheduler] = ["sh", "mh"]
            for weights: [UInt32] in [[1, 1], [0, 1], [1, 0]] {
                try await host.configure { state in
                    for (number, scheduler) in schedulers.enumerated() {
                        for transport in [TransportProtocol.tcp, .udp] {
                            try state.publish(
                                PortBinding(1080 + UInt16(number), transport), target: 80, service: "\(scheduler)",
                                options: PublishOptions(scheduler: scheduler))
                        }
                        try state.addTasks(of: host, weights: weights, service: "\(scheduler)")
                    }
                }
                let live = Set(weights.enumerated().filter { $1 > 0 }.map { "task\($0.offset + 1)" })
                for (number, scheduler) in schedulers.enumerated() {
                    for transport in [TransportProtocol.tcp, .udp] {
                        let requests = clients.map {
                            Request(transport: transport, address: $1, port: 1080 + UInt16(number), from: $0)
                        }
                        let answers = try await host.client.answers(to: requests)
                        let what: Comment = "\(scheduler), \(transport), weights \(weights): \(answers)"
                        #expect(Set(answers.map { String($0.prefix(5)) }) == live, what)
                        #expect(zip(answers, clients).allSatisfy { $0.hasSuffix(" \($1.client) 80") }, what)
                        #expect(answers.count == clients.count, what)
                    }
                }
            }
        }
    }
}
