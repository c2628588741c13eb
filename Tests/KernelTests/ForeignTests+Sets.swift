import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

extension KernelTests.ForeignTests {
    /// What of somebody else's keeps a set of ours in the kernel.
    struct Holder: Sendable, CustomStringConvertible {
        /// For `sh -ec` on the node: puts it there, and takes it away.
        var there: String, gone: String
        var set = "mesh-mark-tcp"
        /// How meshctl names it.
        var name: String

        init(rule: String, by tool: String = "iptables", table: String = "filter", set: String = "mesh-mark-tcp") {
            there = "\(tool) -t \(table) -A \(rule)"
            gone = "\(tool) -t \(table) -D \(rule)"
            self.set = set
            name = "\(tool) \(table): -A \(rule)"
        }

        init(there: String, gone: String, name: String) {
            self.there = there
            self.gone = gone
            self.name = name
        }

        var description: String { there }
    }

    static let holders =
        [
            Holder(rule: "INPUT -m set --match-set mesh-mark-tcp dst -j LOG"),
            Holder(rule: "FORWARD -m set ! --match-set mesh-task6 src -j ACCEPT", by: "ip6tables", set: "mesh-task6"),
            Holder(
                rule: "PREROUTING -p udp -j SET --map-set mesh-mark-tcp dst --map-mark", table: "mangle"),
            Holder(
                there: "ipset create others list:set; ipset add others mesh-mark-tcp", gone: "ipset destroy others",
                name: "ipset set others"),
        ]
        + (RuleTool.tested.contains(.nftables)
            // The variant that does not carry our rules.
            ? [Holder(rule: "INPUT -m set --match-set mesh-mark-tcp dst -j LOG", by: "iptables-legacy")] : [])

    /// The port is closed all the same, and whoever reads is told which rule to remove.
    @Test(arguments: holders) func aSetThatSomebodyUsesIsLeftEmpty(holder: Holder) async throws {
        try await MeshHost.with(rules: .iptables) { host in
            let servers = try await host.serve(80, [.tcp])
            defer { servers.stop() }
            try await host.addTasks("--local")
            try await host.meshctl("publish", "1080:80", "nginx")
            try await host.node.check(["sh", "-ec", holder.there])
            let (near, far) = host.places[0]
            for command in [["unpublish", "1080"], ["reset"]] {
                let ran = try await host.meshctl(command)
                #expect(ran.status == 0, "\(ran)")
                for word in [holder.set, "empty", holder.name] { #expect(ran.error.contains(word), "\(word): \(ran)") }
                #expect(
                    try await host.client.ask(.tcp, near, 1080, times: 2) == ["Connection refused": 2], "\(command)")
                let sets = try await host.node.check("ipset", "save").filteringLines {
                    $0.contains(/^(create|add) mesh-/)
                }
                #expect(sets.split(separator: "\n").count == 1 && sets.hasPrefix("create \(holder.set) "), "\(sets)")
                let rules = try await host.node.check("sh", "-c", "iptables-save; ip6tables-save")
                #expect(!rules.contains("MESH-"), "\(rules)")
                #expect(try await host.meshctl(["plan"]).status == 0)
                if command == ["reset"] { #expect(try await host.meshctl("reset") == "Nothing to remove.\n") }

                // What was left is used again.
                try await host.addTasks("--local")
                try await host.meshctl("publish", "1080:80", "nginx")
                let answers = try await host.client.ask(.tcp, near, 1080, times: 4)
                #expect(answers == ["task1 \(far) 80": 2, "task2 \(far) 80": 2])
                #expect(try await host.meshctl(["plan"]).status == 0)
            }
            try await host.meshctl("reset")
            // Once nobody uses it, it goes.
            try await host.node.check(["sh", "-ec", holder.gone])
            #expect(try await host.meshctl(["plan"]).status == 2)
            let last = try await host.meshctl(["reset"])
            #expect(last.status == 0 && last.error == "", "\(last)")
            #expect(try await host.node.check("ipset", "list", "-name") == "")
        }
    }
}
