import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

extension KernelTests.SurveyTests {
    private static let noPackets = "192.168.5.2 gets nothing of the network ingress: "

    /// What keeps the packets that carry a network from the other node.
    private static var obstaclesToOtherNodes: [Obstacle] {
        let known = "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"
        var obstacles = [
            Obstacle(
                testDescription: "a policy", up: "iptables -A OUTPUT \(known); iptables -P OUTPUT DROP",
                down: "iptables -P OUTPUT ACCEPT; iptables -F OUTPUT",
                warning: "\(noPackets)dropped by iptables filter OUTPUT: policy DROP"),
            Obstacle(
                testDescription: "a port", up: "iptables -I OUTPUT -p udp --dport 4789 -j DROP",
                down: "iptables -F OUTPUT", warning: "\(noPackets)dropped by iptables filter OUTPUT: "),
            Obstacle(
                testDescription: "a routing rule",
                up: "ip rule add pref 10 to 192.168.5.2 ipproto udp dport 4789 blackhole",
                down: "ip rule del pref 10", warning: "\(noPackets)a route or a rule of this node's forbids it",
                hasAdvice: false),
            Obstacle(
                testDescription: "packets that are not tracked",
                up: "for c in OUTPUT PREROUTING; do iptables -t raw -A $c -p udp --dport 4789 -j NOTRACK; done",
                down: "iptables -t raw -F"),
        ]
        guard RuleTool.tested.contains(.nftables) else { return obstacles }
        obstacles += [
            nft(
                "output", "filter hook output priority 0", "udp dport 4789 drop",
                "\(noPackets)dropped by nft inet t c: udp dport 4789 drop"),
            nft(
                "a network card", family: "netdev", "filter hook egress device up0 priority 0", "udp dport 4789 drop",
                "some packets of the network ingress for 192.168.5.2 may be dropped: nft netdev t c: udp dport 4789 "
                    + "drop, on up0", hasAdvice: false),
        ]
        return obstacles
    }

    /// Each obstacle in turn keeps clients of one node from the tasks of the other, and is said, and what is said to type
    /// lets them through again.
    @Test(arguments: RuleTool.tested) func whatKeepsPacketsFromOtherNodesIsSaid(tool: RuleTool) async throws {
        try await MeshNodes.with(rules: tool) { mesh in
            let tasks = try await mesh.tasks(on: [2])
            defer { tasks.stop() }
            let node = mesh.nodes[0]
            // With nftables, the mesh has rules in a table of iptables only once there is one.
            try await node.namespace.check("sh", "-e", "-c", "iptables -A OUTPUT -j ACCEPT; iptables -F OUTPUT")
            try await mesh.publishEverywhere(tasks)
            func isOpen() async throws -> Bool {
                try await mesh.client.ask(.tcp, node.addresses[0], 1080).keys.allSatisfy { $0.hasPrefix("web1") }
            }
            for obstacle in Self.obstaclesToOtherNodes {
                #expect(try await mesh.run(["plan"], on: node).error == "")
                #expect(try await isOpen())
                let name = Comment(rawValue: obstacle.testDescription)
                try await node.namespace.check("sh", "-e", "-c", obstacle.up)
                let plan = try await mesh.run(["plan"], on: node)
                #expect(plan.status == 0, "\(name): \(plan)")
                if let warning = obstacle.warning {
                    #expect(plan.error.contains(warning), "\(name): \(plan)")
                    #expect(try await !isOpen(), name)
                    if obstacle.hasAdvice {
                        try await Self.type(plan.error, on: node.namespace)
                        #expect(try await mesh.run(["plan"], on: node).error == "", name)
                    }
                } else {
                    #expect(plan.error == "", name)
                }
                if obstacle.warning == nil || obstacle.hasAdvice { #expect(try await isOpen(), name) }
                try await node.namespace.check("sh", "-e", "-c", obstacle.down)
            }
            #expect(try await isOpen())
        }
    }
}
