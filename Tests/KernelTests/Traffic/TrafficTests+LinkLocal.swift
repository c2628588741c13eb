import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

extension KernelTests.TrafficTests {
    /// Nobody forwards a packet from or to a link-local address of IPv6, so that the task's answer would never arrive.
    /// Those of IPv4 Linux does forward.
    @Test(arguments: RuleTool.tested) func linkLocalAddressesAreServedOrRefusedAtOnce(tool: RuleTool) async throws {
        try await MeshHost.with(rules: tool) { host in
            let transports = try await publishableTransports()
            let servers = try await host.serve(80, transports)
            defer { servers.stop() }
            try await host.node.ip(["addr add fe80::1:1/64 dev v1 nodad", "addr add 169.254.7.1/24 dev v1"])
            try await host.client.ip(["addr add fe80::1:2/64 dev eth0 nodad", "addr add 169.254.7.2/24 dev eth0"])
            // As often as they are asked: else a host says only once in a second that nobody listens.
            try await host.node.check("sysctl", "-qw", "net.ipv6.icmp.ratelimit=0")
            for isLocal in [true, false] {
                try await host.configure { state in
                    for transport in transports {
                        try state.publish(PortBinding(1080, transport), target: 80, service: "nginx")
                        // Not for these.
                        try state.publish(
                            PortBinding(1081, transport), target: 80, service: "nginx",
                            options: PublishOptions(allowed: ["fd77::/64", "10.1.0.0/24"]))
                    }
                    try state.addTasks(of: host, isLocal: isLocal)
                }
                let refused: [(what: String, from: TestNamespace, to: IPAddress, by: IPAddress?, interface: String)] = [
                    ("to the node's", host.client, "fe80::1:1", nil, "eth0"),
                    ("from the client's", host.client, host.clientLink.near6, "fe80::1:2", "eth0"),
                    ("the node to its own", host.node, "fe80::1:1", nil, "v1"),
                ]
                for transport in transports {
                    for (what, from, to, by, interface) in refused {
                        let what: Comment = "\(transport), \(what), local: \(isLocal)"
                        let start = ContinuousClock.now
                        let answers = try await from.ask(
                            transport, to, 1080, times: 3, from: by, interface: interface)
                        #expect(answers == ["Connection refused": 3], what)
                        #expect(start.duration(to: .now) < .milliseconds(1500), "hangs: \(what)")
                        guard by == nil else { continue }
                        let restricted = try await from.ask(transport, to, 1081, interface: interface)
                        #expect(restricted == ["Connection refused": 1], "with a list: \(what)")
                    }
                    let answers = try await host.client.ask(
                        transport, "169.254.7.1", 1080, times: 4, from: "169.254.7.2")
                    let seen: [String] = isLocal ? ["169.254.7.2", "169.254.7.2"] : ["10.11.0.1", "10.12.0.1"]
                    #expect(answers == ["task1 \(seen[0]) 80": 2, "task2 \(seen[1]) 80": 2], "\(transport)")
                }
            }
            #expect(try await host.meshctl(["plan"]).status == 0)
        }
    }
}
