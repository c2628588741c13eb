import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

extension KernelTests.TrafficTests {
    /// Who is not on the list is dropped, and counted. The node is always on it.
    @Test(arguments: RuleTool.tested) func anAllowListKeepsOthersOut(tool: RuleTool) async throws {
        try await MeshHost.with(rules: tool) { host in
            let servers = try await host.serve(
                [(.tcp, 80), (.udp, 80), (.tcp, 3005)].map { Responder.Port(transport: $0, number: $1) })
            defer { servers.stop() }
            let strangers = try await host.addClientAddresses(1)
            // Where the strangers are there is a server, too: its answers come from an address that is not allowed.
            var remotes = Responders()
            defer { remotes.stop() }
            for (stranger, _) in strangers {
                remotes.all.append(
                    try await Responder(
                        "remote", in: host.client,
                        on: [.init(transport: .tcp, number: 99), .init(transport: .udp, number: 99)], at: stranger))
            }
            let allowed = host.places.map { IPPrefix($0.far, length: $0.far.family == .ipv4 ? 32 : 128) }
            try await host.configure { state in
                let options = PublishOptions(allowed: allowed)
                for transport in [TransportProtocol.tcp, .udp] {
                    try state.publish(PortBinding(1080, transport), target: 80, service: "nginx", options: options)
                    try state.publish(PortBinding(1090, transport), target: 80, service: "nginx")
                }
                try state.publish(PortBinding(2000...2009, .tcp), target: 3000, service: "nginx", options: options)
                try state.publish(
                    PortBinding(1081, .tcp, at: host.clientLink.near4), target: 80, service: "nginx", options: options)
                try state.addTasks(of: host)
            }
            let restricted: [(TransportProtocol, UInt16, UInt16)] = [
                (.tcp, 1080, 80), (.udp, 1080, 80), (.tcp, 2005, 3005), (.tcp, 1081, 80),
            ]
            var dropped = 0
            for (transport, port, target) in restricted {
                let what: Comment = "\(port)/\(transport)"
                for ((near, far), (stranger, _)) in zip(host.places, strangers)
                where port != 1081 || near.family == .ipv4 {
                    let answers = try await host.client.ask(transport, near, port, times: 10, from: far)
                    #expect(answers == ["task1 \(far) \(target)": 5, "task2 \(far) \(target)": 5], what)
                    let own = try await host.node.ask(transport, near, port, times: 4)
                    #expect(own == ["task1 \(near) \(target)": 2, "task2 \(near) \(target)": 2], what)
                    let refused = try await host.client.ask(transport, near, port, from: stranger)
                    #expect(refused.keys.allSatisfy { !$0.hasPrefix("task") && $0 != "Connection refused" }, what)
                    let count = try await host.droppedPackets()
                    #expect(count > dropped, "\(port)/\(transport): the drop is counted")
                    dropped = count
                }
                guard port != 1081 else { continue }
                let loopback = try await host.node.ask(transport, "127.0.0.1", port, times: 4)
                #expect(loopback == ["task1 10.11.0.1 \(target)": 2, "task2 10.12.0.1 \(target)": 2], what)
            }
            for ((stranger, near), transport) in zip(
                strangers + strangers, [.tcp, .tcp, .udp, .udp] as [TransportProtocol])
            {
                // A port without a list is everybody's.
                let answers = try await host.client.ask(transport, near, 1090, times: 4, from: stranger)
                #expect(answers == ["task1 \(stranger) 80": 2, "task2 \(stranger) 80": 2])
                // The answers to these come to a restricted port, from where nobody may come.
                let outgoing = try await host.node.ask(transport, stranger, 99, fromPort: 1080)
                #expect(outgoing == ["remote \(near) 99": 1], "\(transport): the node's own connection")
            }
        }
    }

    /// Lists, and networks that the node is in, one inside another, and others later.
    @Test(arguments: RuleTool.tested) func anAllowListMayNameNestedNetworks(tool: RuleTool) async throws {
        try await MeshHost.with(rules: tool) { host in
            let servers = try await host.serve(80, [.tcp])
            defer { servers.stop() }
            try await host.configure { try $0.addTasks(of: host) }
            let (near, far) = host.places[0]
            let lists = [
                ["10.0.0.0/8", "10.1.0.2"], ["10.1.0.0/24", "10.1.0.2"], ["0.0.0.0/0", "10.0.0.0/8", "::/0"],
            ]
            for (number, list) in (lists + lists.reversed()).enumerated() {
                // The tasks' own networks lie in this one.
                try await host.node.ip(["addr \(number % 2 == 0 ? "add" : "del") 10.0.5.7/8 dev v1"])
                let options = list.flatMap { ["--allow", $0] }
                let ran = try await host.meshctl(["publish", "1080:80", "nginx"] + options)
                try #require(ran.status == 0, "\(list): \(ran)")
                let answers = try await host.client.ask(.tcp, near, 1080, times: 4)
                let seen = number % 2 == 0 ? ["10.11.0.1", "10.12.0.1"] : ["\(far)", "\(far)"]
                #expect(answers == ["task1 \(seen[0]) 80": 2, "task2 \(seen[1]) 80": 2], "\(list)")
                #expect(try await host.meshctl(["plan"]).status == 0, "\(list)")
            }
        }
    }

    @Test(arguments: RuleTool.tested) func tasksSeeTheAddressThatWasAskedFor(tool: RuleTool) async throws {
        try await MeshHost.with(rules: tool) { host in
            let servers = try await host.serve(80, [.tcp, .udp])
            defer { servers.stop() }
            let choices: [SourceIP] = [.keep, .nat, .auto]
            try await host.configure { state in
                for (number, choice) in choices.enumerated() {
                    for transport in [TransportProtocol.tcp, .udp] {
                        try state.publish(
                            PortBinding(1080 + UInt16(number), transport), target: 80, service: "nginx",
                            options: PublishOptions(sourceIP: choice))
                    }
                }
            }
            for isLocal in [true, false] {
                try await host.configure { try $0.addTasks(of: host, isLocal: isLocal) }
                for (number, choice) in choices.enumerated() {
                    let isKept = choice == .keep || choice == .auto && isLocal
                    for (near, far) in host.places {
                        let own = host.tasks.map { near.family == .ipv4 ? $0.link.near4 : $0.link.near6 }
                        for transport in [TransportProtocol.tcp, .udp] {
                            let answers = try await host.client.ask(
                                transport, near, 1080 + UInt16(number), times: 10)
                            #expect(
                                answers == [
                                    "task1 \(isKept ? far : own[0]) 80": 5, "task2 \(isKept ? far : own[1]) 80": 5,
                                ], "\(choice), \(isLocal ? "" : "not ")local, \(transport)")
                        }
                    }
                }
            }
        }
    }
}

extension MeshHost {
    /// How many packets the rules for allow-lists have dropped, in both families.
    fileprivate func droppedPackets() async throws -> Int {
        var count = 0
        switch tool {
        case .nftables:
            let text = try await node.check("nft", "list", "chain", "inet", "meshctl", "restrict")
            for match in text.matches(of: /counter packets (\d+) bytes \d+ drop/) { count += Int(match.1)! }
        case .iptables:
            for command in ["iptables-save", "ip6tables-save"] {
                let text = try await node.check(command, "-c", "-t", "mangle")
                for match in text.matches(of: /\[(\d+):\d+\] -A MESH-ALLOW .*-j DROP/) { count += Int(match.1)! }
            }
        }
        return count
    }
}
