import IPVSKit
import MeshKit
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
