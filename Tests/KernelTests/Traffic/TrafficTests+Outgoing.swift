import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

extension KernelTests.TrafficTests {
    /// All the ports are published that Linux takes for connections of its own. Answers to these must not be taken for
    /// clients; nor may answers to those that the node makes for a container behind it.
    @Test(arguments: RuleTool.tested) func whatGoesOutIsNotTakenForAClient(tool: RuleTool) async throws {
        try await MeshHost.with(rules: tool) { host in
            let remote = try await Responder(
                "remote", in: host.client, on: [.init(transport: .tcp, number: 99), .init(transport: .udp, number: 99)])
            defer { remote.stop() }
            let servers = try await host.serve(40000, [.tcp, .udp])
            defer { servers.stop() }
            let container = try await host.topology.namespace("container")
            let link = try await host.topology.link(host.node, container, number: 30)
            try await container.ip(["route add default via \(link.near4)"])
            try await container.ip(["route add default via \(link.near6)"], options: "-6")
            for (command, network) in [("iptables", "10.30.0.0/24"), ("ip6tables", "fd1e::/64")] {
                try await host.node.check(command, "-t", "nat", "-A", "POSTROUTING", "-s", network, "-j", "MASQUERADE")
            }
            try await host.configure { state in
                for transport in [TransportProtocol.tcp, .udp] {
                    try state.publish(
                        PortBinding(32768...60999, transport), target: 32768, service: "nginx")
                }
                try state.addTasks(of: host)
            }
            // Across all of them, with both ends.
            let all: ClosedRange<UInt16> = 32768...60999
            let ports = stride(from: all.lowerBound, to: all.upperBound, by: all.count / 199) + [all.upperBound]
            for (near, far) in host.places {
                let answers = try await host.client.ask(.tcp, near, 40000, times: 4)
                #expect(answers == ["task1 \(far) 40000": 2, "task2 \(far) 40000": 2], "what is published works")
                for transport in [TransportProtocol.tcp, .udp] {
                    for (name, namespace) in [("the node", host.node), ("a container", container)] {
                        let unbound = Request(transport: transport, address: far, port: 99, fromPort: nil)
                        var requests = Array(repeating: unbound, count: 100)
                        for port in ports {
                            var bound = unbound
                            bound.fromPort = port
                            bound.endsAbruptly = true
                            requests.append(bound)
                        }
                        let answers = counted(try await namespace.answers(to: requests))
                        #expect(answers == ["remote \(near) 99": requests.count], "\(name), \(transport)")
                    }
                }
            }
        }
    }
}
