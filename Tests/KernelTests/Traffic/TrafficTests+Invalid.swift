import IPVSKit
import MeshKit
import Netlink
import RuleKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests.TrafficTests {
    /// A task's segment that conntrack cannot place is not translated back, so that it is for an address of the node and
    /// a port at which nobody is. The node must not reset the connection for it.
    @Test(arguments: RuleTool.tested) func aSegmentOutsideTheWindowEndsNoConnection(tool: RuleTool) async throws {
        try await MeshHost.with(tasks: 1, rules: tool) { host in
            try await host.configure { state in
                try state.publish(PortBinding(1080, .tcp), target: 80, service: "nginx")
                try state.publish(PortBinding(2000...2009, .tcp), target: 3000, service: "nginx")
                try state.addTasks(of: host, isLocal: false)
            }
            let task = host.tasks[0].namespace
            let clients: [(what: String, from: TestNamespace, to: IPAddress)] = [
                ("a client elsewhere", host.client, host.clientLink.near4),
                ("a client elsewhere", host.client, host.clientLink.near6),
                ("the node", host.node, host.clientLink.near4), ("the node", host.node, host.clientLink.near6),
                ("the node by 127.0.0.1", host.node, "127.0.0.1"),
            ]
            for (published, target) in [(1080, 80), (2005, 3005)] as [(UInt16, UInt16)] {
                let listeners = try await task.thread {
                    try AddressFamily.allCases.map { family in
                        let socket = try TrafficSocket(.tcp, family)
                        try socket.bind(port: target)
                        try socket.listen()
                        return (family, socket)
                    }
                }
                for (what, from, to) in clients {
                    let what: Comment = "\(what), to \(to) \(published)"
                    let listener = try #require(listeners.first { $0.0 == to.family }?.1)
                    let client = try await from.thread {
                        let socket = try TrafficSocket(.tcp, to.family)
                        try socket.connect(to, port: published)
                        return socket
                    }
                    let server = try await task.thread { try AcceptedSocket(from: listener) }
                    func exchange(_ text: String) async throws -> [String] {
                        try await from.thread { try client.send(text) }
                        let problem = try await task.thread { server.echo() }
                        let answer = try await from.thread {
                            do throws(Errno) { return try client.receive() } catch { return "\(error)" }
                        }
                        return [problem, answer]
                    }
                    #expect(try await exchange("before") == ["", "before"], what)
                    try await task.thread { try server.segmentOutsideTheWindow().send() }
                    #expect(try await exchange("after") == ["", "after"], what)
                }
            }
        }
    }

    /// What is dropped are packets of a task from the port that it serves at. Whoever else sends something of which the
    /// node knows nothing is told so, as by any host.
    @Test(arguments: RuleTool.tested) func whatElseIsInvalidIsStillReset(tool: RuleTool) async throws {
        try await Shell.check("modprobe", "sctp")
        try await MeshHost.with(tasks: 2, rules: tool) { host in
            let (first, second) = (host.tasks[0], host.tasks[1])
            try await host.configure { state in
                for transport in [TransportProtocol.tcp, .sctp] {
                    try state.publish(PortBinding(1080, transport), target: 80, service: "web")
                    try state.publish(PortBinding(3000...3009, transport), target: 4000, service: "web")
                    try state.publish(PortBinding(1081, transport), target: 81, service: "other")
                }
                for address in [first.link.far4, first.link.far6] {
                    try state.addTask(SpecTask(address: address), service: "web")
                }
                for address in [second.link.far4, second.link.far6] {
                    try state.addTask(.local(address), service: "other")
                }
            }
            typealias Case = (from: TestNamespace, link: Topology.Link, port: UInt16, isReset: Bool)
            let cases: [Case] = [
                (first.namespace, first.link, 80, false), (second.namespace, second.link, 81, false),
                (first.namespace, first.link, 4000, false), (first.namespace, first.link, 4009, false),
                (first.namespace, first.link, 3999, true), (first.namespace, first.link, 4010, true),
                (first.namespace, first.link, 81, true), (second.namespace, second.link, 80, true),
                (first.namespace, first.link, 1080, true), (first.namespace, first.link, 443, true),
                (host.client, host.clientLink, 80, true), (host.client, host.clientLink, 1080, true),
            ]
            for transport in [TransportProtocol.tcp, .sctp] {
                for (from, link, port, isReset) in cases {
                    for (far, near) in [(link.far4, link.near4), (link.far6, link.near6)] {
                        let packet = RawPacket.unsolicited(
                            transport, from: .init(address: far, port: port), to: .init(address: near, port: 33333))
                        let found = try await from.thread { try packet.isReset() }
                        #expect(found == isReset, "\(transport) from \(far) \(port)")
                    }
                }
            }
            // What was dropped for is no longer.
            try await host.meshctl("unpublish", "1080")
            let packet = RawPacket.unsolicited(
                .tcp, from: .init(address: first.link.far4, port: 80), to: .init(address: first.link.near4, port: 33333)
            )
            #expect(try await first.namespace.thread { try packet.isReset() })
            #expect(try await host.meshctl(["plan"]).status == 0)
        }
    }
}
