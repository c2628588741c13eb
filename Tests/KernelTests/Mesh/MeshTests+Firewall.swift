import IPVSKit
import MeshKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests.MeshTests {
    /// Docker sets the policy of iptables' FORWARD to DROP. What the mesh needs stands in that table then, whichever tool
    /// carries the mesh's rules, and goes with the mesh.
    @Test(arguments: RuleTool.tested) func forwardMayDropByPolicy(tool: RuleTool) async throws {
        try await MeshNodes.with(rules: tool) { mesh in
            let tasks = try await mesh.tasks(on: [1, 2])
            defer { tasks.stop() }
            for node in mesh.nodes {
                for program in ["iptables", "ip6tables"] {
                    try await node.namespace.check(program, "-P", "FORWARD", "DROP")
                    try await node.namespace.check(program, "-N", "OTHERS")
                    try await node.namespace.check(program, "-A", "FORWARD", "-j", "OTHERS")
                }
            }
            let before = try await mesh.nodes[0].namespace.check("iptables-save", "-t", "filter")
            let spec = try await mesh.publishEverywhere(tasks)
            try await mesh.expectNothingPlanned()
            func expectAnswers(_ when: String) async throws {
                for node in mesh.nodes {
                    for (address, client) in zip(node.addresses, MeshNodes.clientAddresses) {
                        let answers = try await mesh.client.ask(.tcp, address, 1080, times: 4)
                        #expect(answers == ["web1 \(client) 80": 2, "web2 \(client) 80": 2], "\(when), by \(address)")
                    }
                }
            }
            try await expectAnswers("at first")
            // Somebody sets their firewall anew.
            try await mesh.nodes[0].namespace.check("iptables", "-F", "FORWARD")
            let plan = try await mesh.run(["plan"], on: mesh.nodes[0])
            #expect(plan.status == 2 && plan.output.contains("MESH-FORWARD"), "\(plan)")
            try await mesh.meshctl("reconcile", on: 1)
            try await expectAnswers("once it is repaired")
            try await mesh.nodes[0].namespace.check("iptables", "-A", "FORWARD", "-j", "OTHERS")
            for number in 1...2 { try await mesh.meshctl("reset", on: number) }
            let after = try await mesh.nodes[0].namespace.check("iptables-save", "-t", "filter")
            func rules(_ text: String) -> [Substring] { text.split(separator: "\n").filter { $0.hasPrefix("-A") } }
            #expect(rules(after) == rules(before))
            // The tools take over from each other.
            guard tool == .nftables else { return }
            try await mesh.apply(spec)
            for rules in ["iptables", "nftables"] {
                try await mesh.meshctl("reconcile", "--rules", rules, on: 1)
                let plan = try await mesh.run(["plan", "--rules", rules], on: mesh.nodes[0])
                #expect(plan.status == 0, "\(rules): \(plan)")
                try await expectAnswers("by \(rules)")
            }
        }
    }

    /// A drop of another program's table cannot be undone by rules of ours: whatever says so also says what helps, and it
    /// does.
    @Test(
        .enabled(if: RuleTool.tested.contains(.nftables), "this kernel has no nftables of the family inet"),
        arguments: RuleTool.tested)
    func anotherTableMayDropWhatIsForwarded(tool: RuleTool) async throws {
        try await MeshNodes.with(rules: tool) { mesh in
            let tasks = try await mesh.tasks(on: [2])
            defer { tasks.stop() }
            let node = mesh.nodes[0]
            try await node.namespace.check(
                "nft", "-f", "-",
                input: """
                    table inet fw {
                        chain forward { type filter hook forward priority 0; policy drop; }
                    }

                    """)
            try await mesh.publishEverywhere(tasks)
            let closed = try await mesh.client.ask(.tcp, node.addresses[0], 1080)
            #expect(closed.keys.allSatisfy { !$0.hasPrefix("web") }, "\(closed)")
            let plan = try await mesh.run(["plan"], on: node)
            #expect(plan.status == 0 && plan.error.contains("other hosts cannot reach 1080/tcp: dropped by"), "\(plan)")
            #expect(plan.error.contains("replies from 1080/tcp do not come through: dropped by"), "\(plan)")
            let commands = plan.error.split(separator: "\n").compactMap {
                $0.firstRange(of: "nft insert").map { range in
                    String(plan.error[range.lowerBound...].prefix { $0 != "\n" })
                }
            }
            for command in Set(commands) { try await node.namespace.check("sh", "-c", command) }
            for (address, client) in zip(node.addresses, MeshNodes.clientAddresses) {
                let answers = try await mesh.client.ask(.tcp, address, 1080, times: 2)
                #expect(answers == ["web1 \(client) 80": 2], "by \(address)")
            }
            let after = try await mesh.run(["plan"], on: node)
            #expect(after.status == 0 && !after.error.contains("1080"), "\(after)")
        }
    }

    /// Whichever command makes a node forward packets says so, and `apply` says what `plan` says.
    @Test(arguments: RuleTool.tested) func attachAndApplySayWhatTheyOpenAndWhatIsInTheWay(tool: RuleTool) async throws {
        try await MeshNodes.with(rules: tool) { mesh in
            let tasks = try await mesh.tasks(on: [1, 1])
            defer { tasks.stop() }
            for (index, node) in mesh.nodes.enumerated() {
                try await mesh.meshctl("node", "add", node.name, "--address", "192.168.5.\(index + 1)", on: 1)
                try await node.namespace.check("sysctl", "-w", "net.ipv4.ip_forward=0")
            }
            let words = "meshctl has switched on net.ipv4.ip_forward, and no firewall rule"
            for (task, says) in zip(tasks, [true, false]) {
                let ran = try await mesh.run(
                    ["task", "attach", "nginx", "--netns", task.namespace.name], on: mesh.nodes[0])
                #expect(ran.status == 0 && ran.error.contains(words) == says, "\(ran)")
            }
            try await mesh.meshctl("publish", "1080:80", "nginx", on: 1)
            let file = mesh.topology.directory.appending("mesh.yaml")
            try file.write(try await mesh.meshctl("export", on: 1))
            try await mesh.nodes[1].namespace.check("iptables", "-P", "INPUT", "DROP")
            for says in [true, false] {
                let ran = try await mesh.run(["apply", "-f", file.string], on: mesh.nodes[1])
                #expect(ran.status == 0 && ran.error.contains(words) == says, "\(ran)")
                #expect(ran.error.contains("cannot reach this one on the network ingress") == says, "\(ran)")
            }
        }
    }

    /// An accept of what is established never covers the packets between nodes, and `plan` says what lets them in. Of a
    /// published port it says nothing, since these packets do not meet INPUT.
    @Test(arguments: RuleTool.tested) func planSaysWhatKeepsNodesApart(tool: RuleTool) async throws {
        try await MeshNodes.with(rules: tool) { mesh in
            let tasks = try await mesh.tasks(on: [2])
            defer { tasks.stop() }
            let node = mesh.nodes[1].namespace
            try await node.check(
                "iptables", "-A", "INPUT", "-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "ACCEPT")
            try await node.check("iptables", "-P", "INPUT", "DROP")
            try await mesh.publishEverywhere(tasks)
            let plan = try await mesh.run(["plan"], on: mesh.nodes[1])
            #expect(plan.status == 0 && plan.error.contains("cannot reach this one on the network ingress"), "\(plan)")
            #expect(plan.error.contains("4789") && !plan.error.contains("1080"), "\(plan)")
            try await node.check(
                "iptables", "-I", "INPUT", "-p", "udp", "--dport", "4789", "-s", "192.168.5.1", "-j", "ACCEPT")
            let open = try await mesh.run(["plan"], on: mesh.nodes[1])
            #expect(open.status == 0 && !open.error.contains("4789"), "\(open)")
            let answers = try await mesh.client.ask(.tcp, mesh.nodes[0].addresses[0], 1080, times: 2)
            #expect(answers == ["web1 192.168.5.9 80": 2])
        }
    }
}
