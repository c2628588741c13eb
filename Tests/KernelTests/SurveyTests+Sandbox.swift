import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

extension KernelTests.SurveyTests {
    /// What is in the way of a port that the sandbox balances.
    private static func obstaclesToTheSandbox(_ tool: RuleTool) -> [Obstacle] {
        var obstacles = [
            nft(
                "raw", "filter hook prerouting priority -300", "tcp dport 1080 drop",
                "other hosts cannot reach 1080/tcp: dropped by nft inet t c: tcp dport 1080 drop"),
            nft(
                "notrack", "filter hook prerouting priority -300", "tcp dport 1080 notrack",
                "packets for 1080/tcp are not tracked"),
            nft(
                "postrouting", "filter hook postrouting priority 0", "oifname mesh_sbox drop",
                "other hosts cannot reach 1080/tcp: dropped by nft inet t c: oifname mesh_sbox drop"),
            nft(
                "replies", "filter hook postrouting priority 0", "tcp sport 1080 drop",
                "replies from 1080/tcp do not come through: dropped by nft inet t c: tcp sport 1080 drop"),
            Obstacle(
                testDescription: "an uplink that does not forward", up: "sysctl -w net.ipv4.conf.up0.forwarding=0",
                down: "sysctl -w net.ipv4.conf.up0.forwarding=1",
                warning: "packets of clients that come by up0 do not reach 169.254.113.6: up0 does not forward"),
            Obstacle(
                testDescription: "a rule against replies", up: "ip rule add iif mesh_sbox prohibit",
                down: "ip rule del iif mesh_sbox", warning: "replies of 169.254.113.6 do not come through"),
        ]
        // With iptables, our rules look at the ports.
        if tool == .nftables {
            obstacles.append(
                nft(
                    "another mark", "filter hook prerouting priority -140", "meta mark set 0x7",
                    "packets for 1080/tcp get another mark"))
        }
        return obstacles
    }

    /// Each obstacle in turn closes the port, and is said.
    @Test(
        .enabled(if: RuleTool.tested.contains(.nftables), "this kernel has no nftables of the family inet"),
        arguments: RuleTool.tested)
    func whatIsInTheWayToTheSandboxIsSaid(tool: RuleTool) async throws {
        try await MeshNodes.with(1, rules: tool) { mesh in
            let tasks = try await mesh.tasks(on: [1])
            defer { tasks.stop() }
            let node = mesh.nodes[0]
            try await mesh.publishEverywhere(tasks)
            func isOpen() async throws -> Bool {
                try await mesh.client.ask(.tcp, node.addresses[0], 1080).keys.allSatisfy { $0.hasPrefix("web1") }
            }
            #expect(try await mesh.run(["plan"], on: node).error == "")
            for obstacle in Self.obstaclesToTheSandbox(tool) {
                let name = Comment(rawValue: obstacle.testDescription)
                try await node.namespace.check("sh", "-e", "-c", obstacle.up)
                let plan = try await mesh.run(["plan"], on: node)
                #expect(plan.error.contains(obstacle.warning ?? ""), "\(name): \(plan)")
                #expect(try await !isOpen(), name)
                try await node.namespace.check("sh", "-e", "-c", obstacle.down)
            }
            #expect(try await mesh.run(["plan"], on: node).error == "")
            #expect(try await isOpen())
        }
    }
}
