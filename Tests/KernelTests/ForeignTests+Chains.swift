import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

extension KernelTests.ForeignTests {
    /// A rule of somebody else's that leads to a chain of ours stays, whatever meshctl does. The chain is emptied where it
    /// cannot go, whoever reads is told why, and it goes once the rule has gone.
    @Test func aRuleOfSomebodyElsesThatLeadsToAChainOfOursStays() async throws {
        try await MeshHost.with(rules: .iptables) { host in
            let servers = try await host.serve(80, [.tcp])
            defer { servers.stop() }
            try await host.addTasks("--local")
            try await host.meshctl("publish", "1080:80", "nginx")
            try await host.node.check(
                "sh", "-ec",
                """
                iptables -N OTHERS
                iptables -A OTHERS -p tcp -m comment --comment 'not a -j ACCEPT' -j MESH-FORWARD
                iptables -A OTHERS -m comment --comment 'x -j MESH-FORWARD' -j ACCEPT
                iptables -A OTHERS -m comment --comment -j -j ACCEPT
                iptables -A FORWARD -g OTHERS
                iptables -A INPUT -p udp -g MESH-INPUT
                """)
            func foreignRules() async throws -> String {
                try await host.node.check("iptables", "-S").filteringLines {
                    $0.hasPrefix("-A OTHERS") || $0.hasSuffix("-g OTHERS") || $0.hasSuffix("-g MESH-INPUT")
                }
            }
            let foreign = try await foreignRules()
            #expect(foreign.split(separator: "\n").count == 5)
            #expect(try await host.meshctl(["plan"]).status == 0)
            try await host.node.check("iptables", "-F", "MESH-FORWARD")
            try await host.meshctl("reconcile")
            #expect(try await foreignRules() == foreign)

            let ran = try await host.meshctl(["unpublish", "1080"])
            #expect(ran.status == 0, "\(ran)")
            for words in [
                "iptables filter chain MESH-FORWARD is left behind, empty: it is used by iptables filter: -A OTHERS -p tcp",
                "iptables filter chain MESH-INPUT is left behind, empty: it is used by iptables filter: -A INPUT -p udp",
            ] {
                #expect(ran.error.contains(words), "\(ran)")
            }
            let (near, far) = host.places[0]
            #expect(try await host.client.ask(.tcp, near, 1080, times: 2) == ["Connection refused": 2])
            #expect(try await foreignRules() == foreign)
            let ours = try await host.node.check("iptables-save").filteringLines { $0.contains(/^(:|-A )MESH-/) }
            #expect(ours.replacing(/\[.*\]/, with: "[]") == ":MESH-FORWARD - []\n:MESH-INPUT - []\n")
            #expect(try await host.meshctl(["plan"]).status == 0)
            try await host.meshctl("reset")
            #expect(try await host.meshctl("reset") == "Nothing to remove.\n")

            // What was left is used again.
            try await host.addTasks("--local")
            try await host.meshctl("publish", "1080:80", "nginx")
            #expect(
                try await host.client.ask(.tcp, near, 1080, times: 2) == ["task1 \(far) 80": 1, "task2 \(far) 80": 1])
            #expect(try await host.meshctl(["plan"]).status == 0)
            try await host.meshctl("reset")
            try await host.node.check(
                "sh", "-ec", "iptables -F OTHERS; iptables -D FORWARD -g OTHERS; iptables -D INPUT -p udp -g MESH-INPUT"
            )
            #expect(try await host.meshctl(["plan"]).status == 2)
            let last = try await host.meshctl(["reset"])
            #expect(last.status == 0 && last.error == "", "\(last)")
            #expect(!(try await host.node.check("iptables-save").contains("MESH-")))
        }
    }
}
