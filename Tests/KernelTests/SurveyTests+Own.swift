import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

/// What rules of others do in front of ours in the same chains of iptables.
extension KernelTests.SurveyTests {
    /// dockerd and administrators put their own rules first. Each obstacle in turn closes the port, is said, and what is
    /// said to type opens the port again.
    @Test(arguments: RuleTool.tested) func whatStandsBeforeOurAcceptsIsSaid(tool: RuleTool) async throws {
        let users = "iptables -N DOCKER-USER; iptables -I FORWARD -j DOCKER-USER"
        let obstacles = [
            Obstacle(
                testDescription: "by interface", up: "iptables -I FORWARD -i up0 -j DROP",
                down: "iptables -D FORWARD -i up0 -j DROP",
                warning: "some packets for 1080/tcp may be dropped: iptables filter FORWARD: ", hasAdvice: false),
            Obstacle(
                testDescription: "as Docker documents it",
                up: "\(users); iptables -A DOCKER-USER -i up0 ! -s 192.0.2.2 -j DROP",
                down: "iptables -D FORWARD -j DOCKER-USER; iptables -F DOCKER-USER; iptables -X DOCKER-USER",
                warning: "some packets for 1080/tcp may be dropped: iptables filter FORWARD: ", hasAdvice: false),
            Obstacle(
                testDescription: "all, in Docker's chain", up: "\(users); iptables -A DOCKER-USER -j DROP",
                down: "iptables -D FORWARD -j DOCKER-USER; iptables -F DOCKER-USER; iptables -X DOCKER-USER",
                warning: "other hosts cannot reach 1080/tcp: dropped by iptables filter FORWARD: "),
            Obstacle(
                testDescription: "to the sandbox", up: "iptables -I FORWARD -i up0 -o mesh_sbox -j DROP",
                down: "iptables -D FORWARD -i up0 -o mesh_sbox -j DROP",
                warning: "some packets for 1080/tcp may be dropped: iptables filter FORWARD: ", hasAdvice: false),
        ]
        try await MeshNodes.with(1, rules: tool) { mesh in
            let tasks = try await mesh.tasks(on: [1])
            defer { tasks.stop() }
            let node = mesh.nodes[0]
            try await node.namespace.check("iptables", "-P", "FORWARD", "DROP")
            try await mesh.publishEverywhere(tasks)
            for obstacle in obstacles {
                #expect(try await mesh.run(["plan"], on: node).error == "")
                #expect(try await Self.isOpen(mesh))
                let name = Comment(rawValue: obstacle.testDescription)
                try await node.namespace.check("sh", "-e", "-c", obstacle.up)
                let plan = try await mesh.run(["plan"], on: node)
                #expect(plan.status == 0 && plan.error.contains(obstacle.warning ?? ""), "\(name): \(plan)")
                #expect(try await !Self.isOpen(mesh), name)
                if obstacle.hasAdvice {
                    try await Self.type(plan.error, on: node.namespace)
                    #expect(try await Self.isOpen(mesh), "\(name), after what it says to type")
                    #expect(try await mesh.run(["plan"], on: node).error == "")
                }
                try await node.namespace.check("sh", "-e", "-c", obstacle.down)
            }
            #expect(try await Self.isOpen(mesh))
        }
    }

    /// A packet that another program accepts first gets no mark. What is said to type puts our rules first, where the next
    /// pass leaves them.
    @Test(.enabled(if: RuleTool.tested.contains(.iptables), "iptables is not tested here"))
    func anAcceptInFrontOfOurMarksIsSaid() async throws {
        try await MeshHost.with(tasks: 1, rules: .iptables) { host in
            let servers = try await host.serve([.init(transport: .tcp, number: 80)])
            defer { servers.stop() }
            try await host.meshctl("task", "add", "nginx", "\(host.tasks[0].link.far4)", "--local")
            try await host.meshctl("publish", "1080:80", "nginx")
            func isOpen() async throws -> Bool {
                try await host.client.ask(.tcp, host.clientLink.near4, 1080).keys.allSatisfy { $0.hasPrefix("task") }
            }
            #expect(try await isOpen())
            try await host.node.check(
                "iptables", "-t", "mangle", "-I", "PREROUTING", "-p", "tcp", "--dport", "1080", "-j", "ACCEPT")
            let plan = try await host.meshctl(["plan"])
            let words = "packets for 1080/tcp do not come to the rules of meshctl: by iptables mangle PREROUTING: "
            #expect(plan.status == 0 && plan.error.contains(words), "\(plan)")
            #expect(try await !isOpen())
            try await Self.type(plan.error, on: host.node)
            #expect(try await isOpen())
            try await host.meshctl("reconcile")
            let after = try await host.meshctl(["plan"])
            #expect(after.status == 0 && after.error == "", "\(after)")
            #expect(try await isOpen())
        }
    }

    private static func isOpen(_ mesh: MeshNodes) async throws -> Bool {
        try await mesh.client.ask(.tcp, mesh.nodes[0].addresses[0], 1080).keys.allSatisfy { $0.hasPrefix("web1") }
    }

    /// Types what is said to type.
    static func type(_ said: String, on namespace: TestNamespace) async throws {
        let mark = "  type:  "
        let lines = said.split(separator: "\n").compactMap { line in
            line.firstRange(of: mark).map { String(line[$0.upperBound...]) }
        }
        #expect(!lines.isEmpty, "\(said)")
        for line in lines { try await namespace.check("sh", "-c", line) }
    }
}
