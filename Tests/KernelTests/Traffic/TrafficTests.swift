import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

extension KernelTests {
    /// Real traffic through published ports, with each backend of rules that the kernel takes.
    @Suite struct TrafficTests {
        /// In each family and by each protocol: a client elsewhere, the node by an address of its own, and by 127.0.0.1 and ::1.
        ///
        /// The node's clients say which of its addresses is theirs: SCTP would else tell the task all of them, and the
        /// task would try those that lead past the translation.
        @Test(arguments: RuleTool.tested) func isReachedFromEverywhere(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                let transports = try await publishableTransports()
                let servers = try await host.serve(80, transports)
                defer { servers.stop() }
                try await host.configure { state in
                    for transport in transports {
                        try state.publish(PortBinding(1080, transport), target: 80, service: "nginx")
                    }
                    try state.addTasks(of: host)
                }
                for transport in transports {
                    for (near, far) in host.places {
                        let answers = try await host.client.ask(transport, near, 1080, times: 50)
                        #expect(answers == ["task1 \(far) 80": 25, "task2 \(far) 80": 25], "\(transport)")
                        let own = try await host.node.ask(transport, near, 1080, times: 50, from: near)
                        #expect(own == ["task1 \(near) 80": 25, "task2 \(near) 80": 25], "\(transport)")
                    }
                    // To tasks the node is the one that sends it on.
                    for address in ["127.0.0.1", "127.9.8.7"] as [IPAddress] {
                        let answers = try await host.node.ask(transport, address, 1080, times: 50, from: "127.0.0.1")
                        #expect(answers == ["task1 10.11.0.1 80": 25, "task2 10.12.0.1 80": 25], "\(transport)")
                    }
                    let answers = try await host.node.ask(transport, "::1", 1080, times: 50, from: "::1")
                    #expect(answers == ["task1 fd0b::1 80": 25, "task2 fd0c::1 80": 25], "\(transport)")
                }
                #expect(try await host.meshctl(["plan"]).status == 0)
            }
        }

        /// Other addresses of the node go on being whose they were.
        @Test(arguments: RuleTool.tested) func aBoundPortAnswersOnItsAddressOnly(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                let servers = try await host.serve(
                    [(.tcp, 80), (.udp, 80), (.tcp, 3005)].map { Responder.Port(transport: $0, number: $1) })
                defer { servers.stop() }
                let other = host.tasks[0].link
                let listener = try await Responder(
                    "node", in: host.node, on: [.init(transport: .tcp, number: 1080)], at: other.near4)
                defer { listener.stop() }
                try await host.configure { state in
                    for (near, _) in host.places {
                        for transport in [TransportProtocol.tcp, .udp] {
                            try state.publish(PortBinding(1080, transport, at: near), target: 80, service: "nginx")
                        }
                        try state.publish(PortBinding(2000...2009, .tcp, at: near), target: 3000, service: "nginx")
                    }
                    try state.addTasks(of: host)
                }
                for (elsewhere, near) in [(other.near4, host.clientLink.near4), (other.near6, host.clientLink.near6)] {
                    try await host.client.ip(
                        ["route add \(elsewhere) via \(near)"], options: near.family == .ipv4 ? "-4" : "-6")
                }
                for transport in [TransportProtocol.tcp, .udp] {
                    for ((near, far), elsewhere) in zip(host.places, [other.near4, other.near6]) {
                        let answers = try await host.client.ask(transport, near, 1080, times: 20)
                        #expect(answers == ["task1 \(far) 80": 10, "task2 \(far) 80": 10], "\(transport)")
                        let own = try await host.node.ask(transport, near, 1080, times: 20)
                        #expect(own == ["task1 \(near) 80": 10, "task2 \(near) 80": 10], "\(transport)")
                        let others = try await host.client.ask(transport, elsewhere, 1080, times: 4)
                        let isServed = transport == .tcp && elsewhere == other.near4
                        #expect(others == (isServed ? ["node \(far) 1080": 4] : ["Connection refused": 4]))
                    }
                    #expect(try await host.node.ask(transport, "127.0.0.1", 1080) == ["Connection refused": 1])
                }
                for (near, far) in host.places {
                    let answers = try await host.client.ask(.tcp, near, 2005, times: 4)
                    #expect(answers == ["task1 \(far) 3005": 2, "task2 \(far) 3005": 2])
                }
            }
        }

        /// There is no end to how long it may be: with nftables each of its ports is an element of its own.
        @Test(arguments: RuleTool.tested) func aBoundRangeMayBeLong(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                let ports: [UInt16] = [10000, 13000, 19999]
                let servers = try await host.serve(ports.map { Responder.Port(transport: .udp, number: $0) })
                defer { servers.stop() }
                try await host.configure { state in
                    for (near, _) in host.places {
                        try state.publish(PortBinding(10000...19999, .udp, at: near), target: 10000, service: "nginx")
                    }
                    try state.addTasks(of: host)
                }
                for (near, far) in host.places {
                    for port in ports {
                        let answers = try await host.client.ask(.udp, near, port, times: 4)
                        #expect(answers == ["task1 \(far) \(port)": 2, "task2 \(far) \(port)": 2])
                    }
                }
                #expect(try await host.meshctl(["plan"]).status == 0)
            }
        }

        /// Each port of a range leads to its own in the task, whether the numbers are the same or not.
        @Test(arguments: RuleTool.tested) func aRangeReachesThePortsOfTheTasksInOrder(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                let ports: [(published: UInt16, target: UInt16)] = [
                    (10000, 10000), (10042, 10042), (10099, 10099), (2000, 3000), (2004, 3004), (2009, 3009),
                ]
                let transports = try await publishableTransports()
                let servers = try await host.serve(
                    transports.flatMap { transport in
                        ports.map { Responder.Port(transport: transport, number: $0.target) }
                    })
                defer { servers.stop() }
                try await host.configure { state in
                    for transport in transports {
                        for (range, target) in [(10000...10099, 10000), (2000...2009, 3000)]
                            as [(ClosedRange<UInt16>, UInt16)]
                        {
                            try state.publish(PortBinding(range, transport), target: target, service: "nginx")
                        }
                    }
                    try state.addTasks(of: host)
                }
                for transport in transports {
                    for (published, target) in ports {
                        let what: Comment = "\(published)/\(transport)"
                        for (near, far) in host.places {
                            let answers = try await host.client.ask(transport, near, published, times: 4)
                            #expect(answers == ["task1 \(far) \(target)": 2, "task2 \(far) \(target)": 2], what)
                            let own = try await host.node.ask(transport, near, published, times: 2, from: near)
                            #expect(own == ["task1 \(near) \(target)": 1, "task2 \(near) \(target)": 1], what)
                        }
                        let loopback = try await host.node.ask(
                            transport, "127.0.0.1", published, times: 2, from: "127.0.0.1")
                        #expect(loopback == ["task1 10.11.0.1 \(target)": 1, "task2 10.12.0.1 \(target)": 1], what)
                    }
                    for outside: UInt16 in [1999, 2010, 9999, 10100] {
                        let answers = try await host.client.ask(transport, host.clientLink.near4, outside)
                        #expect(answers == ["Connection refused": 1], "\(outside)/\(transport)")
                    }
                }
            }
        }
    }
}
