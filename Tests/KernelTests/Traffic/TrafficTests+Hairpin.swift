import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

extension KernelTests.TrafficTests {
    /// A task calls the port that its own service is published on, and is balanced onto its neighbour and onto itself;
    /// with bridged packets going through the rules, as on each host with Docker, and without.
    @Test(arguments: RuleTool.tested, [false, true])
    func aTaskReachesItsNeighbourAndItself(tool: RuleTool, filtersBridges: Bool) async throws {
        try await Shell.check("modprobe", "br_netfilter")
        try await MeshHost.with(tasks: 0, rules: tool) { host in
            let transports = try await publishableTransports()
            for family in ["iptables", "ip6tables"] {
                try await host.node.check(
                    "sysctl", "-qw", "net.bridge.bridge-nf-call-\(family)=\(filtersBridges ? 1 : 0)")
            }
            let bridged = try await BridgedTasks(2, on: host)
            let servers = try await bridged.serve(transports.map { .init(transport: $0, number: 80) })
            defer { servers.stop() }
            try await host.configure { state in
                for transport in transports {
                    try state.publish(PortBinding(1080, transport), target: 80, service: "nginx")
                    try state.publish(PortBinding(1081, transport), target: 80, service: "nginx")
                    try state.publish(PortBinding(2000...2009, transport), target: 75, service: "nginx")
                }
                for member in bridged.members {
                    for address in member.addresses {
                        try state.addTask(.local(address), service: "nginx")
                    }
                }
            }
            for member in bridged.members {
                for (gateway, (near, _)) in zip(BridgedTasks.gateways, host.places) {
                    for transport in transports {
                        let what: Comment = "\(member.name) to itself and the other, \(transport), to \(near)"
                        let answers = try await member.namespace.ask(transport, near, 1080, times: 50)
                        #expect(answers == ["task1 \(gateway) 80": 25, "task2 \(gateway) 80": 25], what)
                        let byGateway = try await member.namespace.ask(transport, gateway, 1080, times: 10)
                        #expect(byGateway == ["task1 \(gateway) 80": 5, "task2 \(gateway) 80": 5], what)
                        // Of a range and of a second port with the same target, conntrack translates the number.
                        for port: UInt16 in [2005, 1081] {
                            let translated = try await member.namespace.ask(transport, near, port, times: 10)
                            #expect(translated == ["task1 \(gateway) 80": 5, "task2 \(gateway) 80": 5], what)
                        }
                    }
                }
            }
            // Whoever is not their neighbour keeps its address.
            for (near, far) in host.places {
                let answers = try await host.client.ask(.tcp, near, 1080, times: 10)
                #expect(answers == ["task1 \(far) 80": 5, "task2 \(far) 80": 5])
            }
            #expect(try await host.meshctl(["plan"]).status == 0)
        }
    }

    /// The same where the client's address is hidden anyway, and where only one task is left: itself.
    @Test(arguments: RuleTool.tested) func aTaskThatIsNotLocalReachesItselfToo(tool: RuleTool) async throws {
        try await Shell.check("modprobe", "br_netfilter")
        try await MeshHost.with(tasks: 0, rules: tool) { host in
            for family in ["iptables", "ip6tables"] {
                try await host.node.check("sysctl", "-qw", "net.bridge.bridge-nf-call-\(family)=1")
            }
            let bridged = try await BridgedTasks(1, on: host)
            let servers = try await bridged.serve([.init(transport: .tcp, number: 80)])
            defer { servers.stop() }
            try await host.configure { state in
                try state.publish(PortBinding(1080, .tcp), target: 80, service: "nginx")
                for address in bridged.members[0].addresses {
                    try state.addTask(SpecTask(address: address), service: "nginx")
                }
            }
            for (gateway, (near, _)) in zip(BridgedTasks.gateways, host.places) {
                let answers = try await bridged.members[0].namespace.ask(.tcp, near, 1080, times: 50)
                #expect(answers == ["task1 \(gateway) 80": 50])
            }
        }
    }

    /// Each behind a link of its own, at an address that is in no network of the node's, as Calico has it.
    @Test(arguments: RuleTool.tested) func aTaskInNoNetworkOfTheNodesReachesItself(tool: RuleTool) async throws {
        try await MeshHost.with(tasks: 0, rules: tool) { host in
            let transports = try await publishableTransports()
            let routed = try await RoutedTasks(2, on: host)
            let servers = try await routed.serve(transports.map { .init(transport: $0, number: 80) })
            defer { servers.stop() }
            try await host.configure { state in
                for transport in transports {
                    try state.publish(PortBinding(1080, transport), target: 80, service: "nginx")
                    try state.publish(
                        PortBinding(1081, transport), target: 80, service: "nginx",
                        options: PublishOptions(sourceIP: .keep))
                    try state.publish(PortBinding(2000...2009, transport), target: 75, service: "nginx")
                }
                for address in routed.members.flatMap(\.addresses) {
                    try state.addTask(.local(address), service: "nginx")
                }
            }
            for member in routed.members {
                for (own, (near, _)) in zip(member.addresses, host.places) {
                    for transport in transports {
                        for port: UInt16 in [1080, 1081, 2005] {
                            let answers = try await member.namespace.ask(transport, near, port, times: 10)
                            let byTask = answers.reduce(into: [:]) { $0[$1.key.prefix(5), default: 0] += $1.value }
                            #expect(
                                byTask == ["task1": 5, "task2": 5],
                                "\(member.name), \(transport), to \(near) \(port): \(answers)")
                            // The other sees who it is.
                            let other = member.name == "task1" ? "task2" : "task1"
                            #expect(answers["\(other) \(own) 80"] == 5, "\(transport), to \(near): \(answers)")
                        }
                    }
                }
            }
            for (near, far) in host.places {
                let answers = try await host.client.ask(.tcp, near, 1080, times: 10)
                #expect(answers == ["task1 \(far) 80": 5, "task2 \(far) 80": 5])
            }
            #expect(try await host.meshctl(["plan"]).status == 0)
        }
    }

    /// A bridge of which the node has no address but one of its own alone, and a route; a network behind a router.
    @Test(arguments: RuleTool.tested, [false, true])
    func tasksOfANetworkThatIsKnownByARouteReachEachOther(tool: RuleTool, isBehindRouter: Bool) async throws {
        try await MeshHost.with(tasks: 0, rules: tool) { host in
            let bridged = try await BridgedTasks(2, on: host)
            let servers = try await bridged.serve([.init(transport: .tcp, number: 80)])
            defer { servers.stop() }
            if isBehindRouter {
                // The bridge and all that is on it move into a namespace of their own, between the node and the tasks.
                try await bridged.moveBehindRouter(of: host)
            } else {
                try await host.node.ip([
                    "addr del 10.20.0.1/24 dev br0", "addr add 10.20.0.1/32 dev br0", "route add 10.20.0.0/24 dev br0",
                    "addr del fd20::1/64 dev br0", "addr add fd20::1/128 dev br0 nodad",
                ])
                try await host.node.ip(["route add fd20::/64 dev br0"], options: "-6")
            }
            try await host.configure { state in
                try state.publish(PortBinding(1080, .tcp), target: 80, service: "nginx")
                for address in bridged.members.flatMap(\.addresses) {
                    try state.addTask(.local(address), service: "nginx")
                }
            }
            for member in bridged.members {
                for (near, _) in host.places {
                    let answers = try await member.namespace.ask(.tcp, near, 1080, times: 10)
                    let byTask = answers.reduce(into: [:]) { $0[$1.key.prefix(5), default: 0] += $1.value }
                    #expect(byTask == ["task1": 5, "task2": 5], "\(member.name), to \(near): \(answers)")
                }
            }
            // Whoever is not their neighbour keeps its address.
            for (near, far) in host.places {
                let answers = try await host.client.ask(.tcp, near, 1080, times: 10)
                #expect(answers == ["task1 \(far) 80": 5, "task2 \(far) 80": 5])
            }
            #expect(try await host.meshctl(["plan"]).status == 0)
        }
    }
}
