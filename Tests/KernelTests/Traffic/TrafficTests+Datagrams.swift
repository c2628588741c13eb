import Conntrack
import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

extension KernelTests.TrafficTests {
    private static let clientPort: UInt16 = 40000

    /// A UDP client keeps its port, and conntrack what became of its last datagram. Whatever is changed, the next one
    /// reaches a task that is there.
    @Test(arguments: RuleTool.tested) func theNextDatagramFollowsTheChange(tool: RuleTool) async throws {
        try await MeshHost.with(rules: tool) { host in
            let servers = try await host.serve(53, [.udp])
            defer { servers.stop() }
            // That conntrack is at work before the port is published.
            try await host.publishTasks()
            let clients: [(namespace: TestNamespace, address: IPAddress)] =
                host.places.map { (host.client, $0.near) } + [
                    (host.node, host.clientLink.near4), (host.node, host.clientLink.near6), (host.node, "127.0.0.1"),
                ]
            /// By the task that answered, or what there was instead; one datagram from each client, from the port that
            /// it always has.
            func next() async throws -> [String] {
                var answers: [String] = []
                for (namespace, address) in clients {
                    let answer = try await namespace.ask(.udp, address, 5353, fromPort: Self.clientPort)
                    answers.append(answer.keys.first.map { $0.hasPrefix("task") ? String($0.prefix(5)) : $0 } ?? "")
                }
                return answers
            }

            #expect(try await next() == clients.map { _ in "Connection refused" }, "not published yet")
            try await host.meshctl("publish", "5353:53/udp", "nginx")
            let published = try await next()
            #expect(published.allSatisfy { $0.hasPrefix("task") }, "published: \(published)")
            // Nobody changes its task without reason.
            #expect(try await next() == published)

            let task = host.tasks[0]
            for address in [task.link.far4, task.link.far6] {
                try await host.meshctl("task", "rm", "nginx", "\(address)")
            }
            #expect(try await next() == clients.map { _ in "task2" }, "after task1 has gone; before: \(published)")

            try await host.meshctl("unpublish", "5353/udp")
            // The kernel forgets connections without a destination one tick later, and until then it drops what the node
            // itself sends by them: at the output they are to be forgotten, at the input they are still there.
            #expect(
                try await soon {
                    try await host.node.check("cat", "/proc/net/ip_vs_conn").split(separator: "\n").count == 1
                })
            let unpublished = try await next()
            #expect(unpublished == clients.map { _ in "Connection refused" }, "not published any more")
            try await host.meshctl("publish", "5353:53/udp", "nginx")
            #expect(try await next() == clients.map { _ in "task2" }, "published again")

            // Another port in the tasks, where nobody is, and back. A flow that goes on sending keeps its way until it is
            // cut.
            try await host.meshctl("publish", "5353:54/udp", "nginx")
            #expect(try await next() == clients.map { _ in "task2" }, "the way of before retires")
            try await host.meshctl("reconcile", "--now")
            #expect(try await next().allSatisfy { !$0.hasPrefix("task") }, "leads to another port")
            try await host.meshctl("publish", "5353:53/udp", "nginx", "--now")
            #expect(try await next() == clients.map { _ in "task2" }, "and back")
        }
    }

    /// The first task of a port comes when clients have sent already, and the only one is replaced.
    @Test(arguments: RuleTool.tested) func theNextDatagramReachesTheFirstTask(tool: RuleTool) async throws {
        try await MeshHost.with(rules: tool) { host in
            let servers = try await host.serve(53, [.udp])
            defer { servers.stop() }
            try await host.meshctl("publish", "5353:53/udp", "dns")
            func next() async throws -> [String] {
                var answers: [String] = []
                for (near, _) in host.places {
                    let answer = try await host.client.ask(.udp, near, 5353, fromPort: Self.clientPort)
                    answers += answer.keys.map { String($0) }
                }
                return answers
            }
            #expect(try await next().allSatisfy { !$0.hasPrefix("task") }, "no task yet")
            for (number, task) in host.tasks.enumerated() {
                // Not local, so that it sees the node's address, and answers to that.
                for address in [task.link.far4, task.link.far6] {
                    try await host.meshctl("task", "add", "dns", "\(address)")
                }
                let answers = try await next()
                #expect(answers == [task.link.near4, task.link.near6].map { "task\(number + 1) \($0) 53" })
                for address in [task.link.far4, task.link.far6] {
                    try await host.meshctl("task", "rm", "dns", "\(address)")
                }
            }
        }
    }

    /// What others send past this node, to a port of that number somewhere else, goes on undisturbed.
    @Test(arguments: RuleTool.tested) func flowsThatAreForwardedStay(tool: RuleTool) async throws {
        try await MeshHost.with(rules: tool) { host in
            let servers = try await host.serve(53, [.udp])
            defer { servers.stop() }
            try await host.publishTasks()
            let task = host.tasks[0].link.far4
            try await host.client.ip(["route add \(task)/32 via \(host.clientLink.near4)"])
            let answer = try await host.client.ask(.udp, task, 53, fromPort: Self.clientPort)
            #expect(answer.keys.first?.hasPrefix("task1 \(host.clientLink.far4)") == true, "\(answer)")
            let conntrack = try Conntrack(in: .named(host.node.name))
            let theirs = FlowFilter(protocol: .udp, originalDestination: task, originalDestinationPorts: 53...53)
            #expect(try await conntrack.count(matching: theirs) == 1)
            try await host.meshctl("publish", "53:53/udp", "nginx")
            try await host.meshctl("unpublish", "53/udp")
            #expect(try await conntrack.count(matching: theirs) == 1)
        }
    }
}
