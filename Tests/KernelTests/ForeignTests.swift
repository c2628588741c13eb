import MeshKit
import TestSupport
import Testing

extension KernelTests {
    /// What is somebody else's, and what is left of meshctl.
    @Suite struct ForeignTests {
        /// Byte for byte and in its order, after whatever meshctl does; and after a reset nothing else is there.
        @Test(arguments: RuleTool.tested) func whatIsSomebodyElsesSurvivesEverything(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                try await host.addForeignThings()
                let foreign = try await host.foreignText(ours: [])
                let kernel = try await host.kernelText()
                let settings = try await host.settings()
                func expectUntouched(_ what: String) async throws {
                    // 256 is another's.
                    let now = try await host.foreignText(ours: Array(257...270))
                    #expect(now == foreign, "\(what)")
                }

                try await host.addTasks()
                try await host.publishSome()
                let published = try await host.kernelText()
                #expect(published != kernel)
                #expect(try await host.node.check("ipvsadm", "-Ln").contains("FWM  257 rr"))
                try await expectUntouched("published")

                try await host.meshctl("publish", "5353:53/udp", "nginx", "--scheduler", "mh")
                try await host.meshctl("publish", "1081:81", "other")
                try await host.meshctl("task", "add", "nginx", "10.11.0.2", "--local", "--weight", "3")
                try await host.meshctl("unpublish", "1443")
                try await expectUntouched("changed")

                let damages: [Damage] =
                    switch tool {
                    case .nftables:
                        [
                            Damage("nft delete table inet meshctl", "install the mesh's rules"),
                            Damage("nft flush chain inet meshctl marking", "chain marking: missing"),
                            Damage("nft flush map inet meshctl marks", "nftables: marks tcp . 1080"),
                        ]
                    case .iptables:
                        [
                            Damage("iptables -t mangle -F MESH-MARK", "MESH-MARK: rule missing"),
                            Damage("ip6tables -t nat -D POSTROUTING -j MESH-SNAT", "jump missing"),
                            Damage("ipset flush mesh-mark-tcp", "mesh-mark-tcp 1080"),
                        ]
                    }
                for damage in damages + [Damage("ip link del meshctl-lo", "make the veth pair meshctl-lo")] {
                    try await damage.happen(to: host)
                    let repaired = try await host.meshctl("reconcile")
                    #expect(repaired.contains(damage.name))
                    try await expectUntouched("after \(damage)")
                }

                try await host.meshctl("reset")
                try await expectUntouched("reset")
                let kernelNow = try await host.kernelText()
                #expect(kernelNow == kernel)
                let settingsNow = try await host.settings()
                #expect(settingsNow == settings, "\(difference(settings.lines, settingsNow.lines))")
                #expect(try await host.meshctl("reset") == "Nothing to remove.\n")
            }
        }

        /// A node that had nothing. Built-in chains of iptables stay where it is the one that writes nftables.
        @Test(arguments: RuleTool.tested) func resetLeavesNothing(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                // Settings are there once their modules are.
                for tool in ["iptables-save", "ip6tables-save"] { try await host.node.check([tool]) }
                try await host.node.check("ipvsadm", "-Ln")
                // As a host that is hardened has it; the kernel writes it along with ip_forward.
                try await host.node.check("sysctl", "-qw", "net.ipv4.conf.all.accept_redirects=0")
                let settings = try await host.settings()
                try await host.addTasks()
                try await host.publishSome()
                #expect(try await host.settings().contains("meshctl-lo"))
                try await host.meshctl("reset")
                let settingsNow = try await host.settings()
                #expect(settingsNow == settings, "\(difference(settings.lines, settingsNow.lines))")
                #expect(try await host.node.check("ipvsadm", "-Sn") == "")
                switch tool {
                case .nftables: #expect(try await host.node.check("nft", "list", "ruleset") == "")
                case .iptables:
                    #expect(try await host.node.check("ipset", "list", "-name") == "")
                    for tool in ["iptables-save", "ip6tables-save"] {
                        let rules = try await host.node.check(tool).lines.filter {
                            $0.hasPrefix("-A") || $0.contains("MESH")
                        }
                        #expect(rules == [])
                    }
                }
            }
        }
    }
}

extension String {
    fileprivate var lines: [String] { split(separator: "\n").map(String.init) }
}
