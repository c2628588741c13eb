import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

extension KernelTests {
    /// Whatever keeps clients from a published port is said, by `plan` and by `publish`; and what is said of a port is what
    /// becomes of its packets.
    @Suite struct SurveyTests {
        /// Each obstacle in turn: it closes the port, it is said, the lines that are named with it open the port again.
        @Test(arguments: RuleTool.tested) func whatIsInTheWayIsSaidAndIsInTheWay(tool: RuleTool) async throws {
            try await MeshHost.with(tasks: 1, rules: tool) { host in
                let servers = try await host.serve([
                    .init(transport: .tcp, number: 80), .init(transport: .udp, number: 53),
                ])
                defer { servers.stop() }
                try await host.meshctl("task", "add", "nginx", "\(host.tasks[0].link.far4)", "--local")
                let first = try await host.meshctl(["publish", "1080:80", "nginx"])
                #expect(first.status == 0, "\(first)")
                try await host.meshctl("publish", "1053:53/udp", "nginx")
                #expect(try await Self.said(host) == [])
                for obstacle in Self.obstacles where tool == .nftables || !obstacle.isInFilter {
                    try await host.node.check("sh", "-e", "-c", obstacle.up)
                    try await Self.check(obstacle, on: host)
                    try await host.node.check("sh", "-c", obstacle.down)
                    // What the advice put up, too.
                    _ = try await host.node.run(["nft", "delete", "table", "inet", "t"])
                    try await host.node.check(
                        "sh", "-c",
                        """
                        for table in filter raw; do for chain in INPUT OUTPUT PREROUTING; do \
                        iptables-legacy -t $table -F $chain 2>/dev/null; done; done; iptables-legacy -t mangle -F INPUT; true
                        """)
                }
                #expect(try await Self.said(host) == [])
            }
        }

        private static func check(_ obstacle: Obstacle, on host: MeshHost) async throws {
            let name = Comment(rawValue: obstacle.testDescription)
            func isOpen() async throws -> Bool {
                let port: UInt16 = obstacle.transport == .tcp ? 1080 : 1053
                let answers = try await host.client.ask(obstacle.transport, host.clientLink.near4, port)
                return answers.keys.allSatisfy { $0.hasPrefix("task") }
            }
            var said = try await said(host)
            guard let warning = obstacle.warning else {
                #expect(said == [], name)
                #expect(try await isOpen(), name)
                return
            }
            #expect(said.contains { $0.hasPrefix(warning) }, "\(obstacle.testDescription): \(said)")
            #expect(try await !isOpen(), name)
            guard obstacle.hasAdvice else { return }
            for _ in 1...3 {
                let lines = said.filter { $0.hasPrefix("  type:  ") }.map { $0.dropFirst(9) }
                if lines.isEmpty { break }
                for line in lines { try await host.node.check(line.split(separator: " ").map(String.init)) }
                said = try await Self.said(host)
            }
            #expect(said == [], name)
            #expect(try await isOpen(), "\(obstacle.testDescription), after what it says to type")
        }

        /// What `plan` says on standard error, line by line.
        private static func said(_ host: MeshHost) async throws -> [String] {
            let ran = try await host.meshctl(["plan"])
            #expect(ran.status == 0, "\(ran)")
            return ran.error.split(separator: "\n").map {
                String($0).replacing("meshctl: ", with: "", maxReplacements: 1)
            }
        }

        /// What there is and cannot be read is said to be so; and what programs PATH holds makes no difference.
        @Test(.enabled(if: RuleTool.tested.contains(.nftables), "this kernel has no nftables of the family inet"))
        func whatCannotBeReadIsSaid() async throws {
            try await MeshHost.with(tasks: 1, rules: .nftables) { host in
                try await host.meshctl("task", "add", "nginx", "\(host.tasks[0].link.far4)", "--local")
                try await host.meshctl("publish", "1080:80", "nginx")
                try await host.node.check(
                    "iptables-legacy", "-A", "INPUT", "-p", "tcp", "--dport", "1080", "-j", "DROP")
                try await host.node.check("iptables-nft", "-A", "INPUT", "-p", "tcp", "--dport", "1080", "-j", "DROP")
                let said = try await Self.said(host)
                #expect(said.contains { $0.contains("dropped by ") }, "\(said)")
                for line in [
                    "iptables-legacy -I INPUT -p tcp --dport 1080 -j ACCEPT",
                    "iptables-nft -I INPUT -p tcp --dport 1080 -j ACCEPT",
                ] {
                    #expect(said.contains("  type:  \(line)"), "\(said)")
                }
                let program = try BuiltProducts.path("meshctl")
                let environment = "MESHCTL_STATE_DIR=\(host.stateDirectory) MESHCTL_RULES=nftables"
                let without = try await host.node.run([
                    "env", "PATH=/nonexistent", "MESHCTL_STATE_DIR=\(host.stateDirectory)", "MESHCTL_RULES=nftables",
                    program, "plan",
                ])
                #expect(
                    without.error.split(separator: "\n").map { String($0).replacing("meshctl: ", with: "") } == said)

                let hidden = try await host.node.run([
                    "unshare", "--mount", "sh", "-e", "-c",
                    """
                    mount --bind /bin/false "$(readlink -f /usr/sbin/iptables-legacy-save)"
                    \(environment) \(program) plan
                    """,
                ])
                #expect(hidden.status == 0, "\(hidden)")
                #expect(hidden.error.contains("could not look at the rules of legacy iptables (filter): "), "\(hidden)")
            }
        }

        /// Somebody else's set of 60,000 elements is asked for one of them, and not read. On two nodes in turn, so that
        /// what else goes on slows both down alike.
        @Test(.enabled(if: RuleTool.tested.contains(.nftables), "this kernel has no nftables of the family inet"))
        func aSurveyCostsTheSameBesideALargeForeignSet() async throws {
            try await MeshHost.with(tasks: 1, rules: .nftables) { alone in
                try await MeshHost.with(tasks: 1, rules: .nftables) { beside in
                    for host in [alone, beside] {
                        try await host.meshctl("task", "add", "nginx", "\(host.tasks[0].link.far4)", "--local")
                        try await host.meshctl("publish", "1080:80", "nginx")
                        try await host.node.check(
                            "nft",
                            """
                            table inet others {
                                set many { type ipv4_addr; }
                                set spans { type ipv4_addr; flags interval; }
                                set ports { type inet_service; flags interval; }
                                chain input {
                                    type filter hook input priority 0;
                                    ip saddr @many drop
                                    ip saddr @spans drop
                                    tcp dport @ports accept
                                }
                            }
                            """)
                    }
                    let many = (0..<60000).map { "10.\($0 >> 16).\($0 >> 8 & 255).\($0 & 255)" }
                    let spans = (0..<20000).map { "10.\(100 + $0 >> 14).\($0 >> 6 & 255).\(($0 & 63) << 2)/31" }
                    try await beside.node.check(
                        "nft", "-f", "-",
                        input: """
                            add element inet others many { \(many.joined(separator: ", ")) }
                            add element inet others spans { \(spans.joined(separator: ", ")) }

                            """)
                    // 1 is what it should be; to read the elements made it 12.
                    let ratio = try await Self.ratio(of: beside, to: alone)
                    #expect(ratio < 2)
                }
            }
        }

        /// How much longer it takes on one node than on another to publish a port, by the least of several times.
        private static func ratio(of beside: MeshHost, to alone: MeshHost) async throws -> Double {
            var times: [[Duration]] = [[], []]
            for _ in 1...9 {
                for (index, host) in [alone, beside].enumerated() {
                    let start = ContinuousClock.now
                    let ran = try await host.meshctl(["publish", "1090:80", "nginx"])
                    times[index].append(.now - start)
                    #expect(ran.status == 0 && ran.error.contains("it depends on set many"), "\(ran)")
                    try await host.meshctl("unpublish", "1090")
                }
            }
            let least = times.map { $0.min()! }
            let ratio = least[1] / least[0]
            print("publish: \(least[0]) beside empty sets, \(least[1]) beside 80,000 elements, \(ratio) times")
            return ratio
        }
    }
}
