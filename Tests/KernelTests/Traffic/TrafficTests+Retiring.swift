import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

extension KernelTests.TrafficTests {
    /// A live port gets another target port: who is connected goes on with the old one until they are done, and who comes
    /// now reaches the new one.
    @Test(arguments: RuleTool.tested) func anotherTargetCutsNobody(tool: RuleTool) async throws {
        try await MeshHost.with(rules: tool) { host in
            let servers = try await host.serve([80, 81].map { Responder.Port(transport: .tcp, number: $0) })
            defer { servers.stop() }
            try await host.publishTasks()
            let ways: [(place: TestNamespace, address: IPAddress)] =
                host.places.map { (host.client, $0.near) } + [(host.node, "127.0.0.1")]
            var open: [(socket: TrafficSocket, answer: String)] = []
            for way in ways {
                for _ in host.tasks {
                    let socket = try await way.place.thread {
                        let socket = try TrafficSocket(.tcp, way.address.family)
                        try socket.connect(way.address, port: 1080)
                        return socket
                    }
                    open.append((socket, try Self.ask(socket)))
                }
            }
            #expect(open.allSatisfy { $0.answer.hasSuffix(" 80") }, "\(open.map(\.answer))")
            func expectNew(_ when: String) async throws {
                for (near, far) in host.places {
                    let answers = try await host.client.ask(.tcp, near, 1080, times: 10)
                    #expect(answers == ["task1 \(far) 81": 5, "task2 \(far) 81": 5], "\(when)")
                }
                let answers = try await host.node.ask(.tcp, "127.0.0.1", 1080, times: 10)
                #expect(answers == ["task1 10.11.0.1 81": 5, "task2 10.12.0.1 81": 5], "\(when)")
            }
            let old = host.tasks.flatMap { [Destination.ID($0.link.far4, port: 80), .init($0.link.far6, port: 80)] }

            try await host.meshctl("publish", "1080:81", "nginx")
            let table = try await host.node.check("ipvsadm", "-Sn")
            for destination in old {
                #expect(
                    table.contains(
                        "-a -f 256\(destination.address.family == .ipv6 ? " -6" : "") -r \(destination) -m -w 0"),
                    "\(table)")
            }
            for _ in 1...2 {
                try await expectNew("while old connections are open")
                for (socket, answer) in open {
                    let again = (try? Self.ask(socket)) ?? "it was cut"
                    #expect(again == answer)
                }
                // Nothing is to be done while they are open.
                let plan = try await host.meshctl(["plan"])
                #expect(plan.status == 0, "\(plan)")
                #expect(try await host.meshctl("reconcile").hasPrefix("Nothing to do"))
            }

            for (socket, _) in open { socket.endAbruptly() }
            open = []
            let plan = try await host.meshctl(["plan"])
            #expect(plan.status == 2, "\(plan)")
            for destination in old {
                #expect(plan.output.contains("remove destination \(destination) from FWM 256"), "\(plan)")
            }
            try await host.meshctl("reconcile")
            let after = try await host.meshctl(["plan"])
            #expect(after.status == 0, "\(after)")
            #expect(try await !host.node.check("ipvsadm", "-Sn").contains(":80 "))
            try await expectNew("after old connections have ended")
        }
    }

    /// Without a connection there is nothing to wait for, and the command that changes the target leaves nothing behind.
    @Test(arguments: RuleTool.tested) func anotherTargetOfAnIdlePortLeavesNothing(tool: RuleTool) async throws {
        try await MeshHost.with(rules: tool) { host in
            let servers = try await host.serve([80, 81].map { Responder.Port(transport: .tcp, number: $0) })
            defer { servers.stop() }
            try await host.publishTasks()
            try await host.meshctl("publish", "1080:81", "nginx")
            #expect(try await !host.node.check("ipvsadm", "-Sn").contains(":80 "))
            #expect(try await host.meshctl(["plan"]).status == 0)
            // And back, which is no more than another change.
            try await host.meshctl("publish", "1080:80", "nginx")
            let (near, far) = host.places[0]
            #expect(
                try await host.client.ask(.tcp, near, 1080, times: 10) == ["task1 \(far) 80": 5, "task2 \(far) 80": 5])
            try await host.meshctl("reset")
            #expect(try await host.node.check("ipvsadm", "-Sn") == "")
        }
    }

    private static func ask(_ socket: TrafficSocket) throws -> String {
        try socket.send("?")
        return try socket.receive()
    }
}
