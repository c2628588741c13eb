import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

extension KernelTests {
    /// Whatever keeps clients from a published port is said, by `plan` and by `publish`; and what is said of a port is what
    /// becomes of its packets.
    @Suite struct SurveyTests {
        /// Something of somebody else's on the node.
        struct Obstacle: CustomTestStringConvertible, Sendable {
            var testDescription: String
            /// Commands that put it up and take it down.
            var up: String
            var down: String
            /// What is said of it; nil where it is in nobody's way.
            var warning: String?
            var transport = TransportProtocol.tcp
            /// Whether the lines to type that come with it help.
            var hasAdvice = true
            /// Whether it is in a table that iptables-nft has its own rules in, which may be ours.
            var isInFilter = false
        }

        /// A table `t` of nftables with a chain `c`.
        static func nft(
            _ name: String, family: String = "inet", _ hook: String, _ rules: String, _ warning: String?,
            transport: TransportProtocol = .tcp, hasAdvice: Bool = true
        ) -> Obstacle {
            let added = rules.split(separator: ";").map { "add rule \(family) t c \($0)" }.joined(separator: "; ")
            return Obstacle(
                testDescription: name, up: "nft 'table \(family) t { chain c { type \(hook); }; }; \(added)'",
                down: "nft 'delete table \(family) t'", warning: warning, transport: transport, hasAdvice: hasAdvice)
        }

        static let ofNFTables: [Obstacle] = [
            Obstacle(
                testDescription: "a table that iptables would not show",
                up:
                    "nft 'add table ip filter; add chain ip filter input { type filter hook input priority 0; policy drop; }'",
                down: "nft 'delete table ip filter'",
                warning: "other hosts cannot reach 1080/tcp: dropped by nft ip filter input: policy DROP",
                isInFilter: true),
            nft(
                "raw", "filter hook prerouting priority -300", "tcp dport 1080 drop",
                "other hosts cannot reach 1080/tcp: dropped by nft inet t c: tcp dport 1080 drop"),
            nft(
                "notrack", "filter hook prerouting priority -300", "udp dport 1053 notrack",
                "packets for 1053/udp are not tracked", transport: .udp),
            nft(
                "another mark", "filter hook prerouting priority -140", "tcp dport 1080 meta mark set 0x5",
                "packets for 1080/tcp get another mark"),
            nft(
                "one bit more", "filter hook input priority 0", "tcp dport 1080 meta mark set meta mark | 0x4000",
                "packets for 1080/tcp get another mark"),
            nft(
                "a mark that ours replaces", "filter hook prerouting priority -200", "tcp dport 1080 meta mark set 0x5",
                nil),
            nft(
                "a network card", family: "netdev", "filter hook ingress device v1 priority 0", "tcp dport 1080 drop",
                "some packets for 1080/tcp may be dropped: nft netdev t c: tcp dport 1080 drop, on v1", hasAdvice: false
            ),
            nft(
                "output", "filter hook output priority 0; policy drop", "counter",
                "10.11.0.2 gets nothing of 1080/tcp: dropped by nft inet t c: policy DROP"),
            nft(
                "postrouting", "filter hook postrouting priority 0", "tcp dport 80 drop",
                "10.11.0.2 gets nothing of 1080/tcp: dropped by nft inet t c: tcp dport 80 drop"),
            nft(
                "replies", "filter hook prerouting priority 0", "tcp sport 80 drop",
                "replies of 10.11.0.2 do not come through: dropped by nft inet t c: tcp sport 80 drop"),
            nft(
                "replies behind IPVS", "filter hook postrouting priority 0", "tcp sport 1080 drop",
                "replies from 1080/tcp do not leave this node: dropped by nft inet t c: tcp sport 1080 drop"),
            nft(
                "a network card's own port, by interface", "filter hook input priority 0",
                "iifname \"v1\" tcp dport 1080 drop",
                "some packets for 1080/tcp may be dropped: nft inet t c: iifname v1 tcp dport 1080 drop",
                hasAdvice: false),
            nft("an interface that is not there", "filter hook input priority 0", "iifname \"wg0\" drop", nil),
            nft(
                "a conntrack zone for replies alone", "filter hook prerouting priority -300",
                "iifname \"v11\" ct zone set 5", "some replies of 10.11.0.2 may not be translated back"),
            nft("a conntrack zone for both directions", "filter hook prerouting priority -300", "ct zone set 5", nil),
            Obstacle(
                testDescription: "neighbours that are not found",
                up: """
                    nft 'table arp t { chain c { type filter hook input priority 0; policy drop; }; }'; ip neigh flush all
                    """,
                // A search that has failed is for some time not begun anew, whatever is let through meanwhile.
                down: "nft 'delete table arp t'; ip neigh flush all; sleep 2",
                warning: "other hosts cannot reach 1080/tcp: dropped by nft arp t c: policy DROP", hasAdvice: false),
            nft(
                "another port", "filter hook input priority 0", "tcp dport 1081 drop; ct state invalid drop", nil),
            Obstacle(
                testDescription: "a set that has our port",
                up: """
                    nft 'table inet t { set s { type inet_service; flags interval; elements = { 1000-1100 }; }; \
                    chain c { type filter hook input priority 0; tcp dport @s drop; }; }'
                    """,
                down: "nft 'delete table inet t'",
                warning: "other hosts cannot reach 1080/tcp: dropped by nft inet t c: tcp dport @s drop"),
            Obstacle(
                testDescription: "a set that has another",
                up: """
                    nft 'table inet t { set s { type ipv4_addr . inet_service; elements = { 10.1.0.1 . 1081 }; }; \
                    chain c { type filter hook input priority 0; ip daddr . tcp dport @s drop; }; }'
                    """,
                down: "nft 'delete table inet t'", warning: nil),
            Obstacle(
                testDescription: "a map of verdicts",
                up: """
                    nft 'table inet t { map m { type inet_service : verdict; elements = { 22 : accept, 1080 : goto d }; }; \
                    chain d { drop; }; \
                    chain c { type filter hook input priority 0; tcp dport vmap @m; }; }'
                    """,
                down: "nft 'delete table inet t'",
                warning: "other hosts cannot reach 1080/tcp: dropped by nft inet t c: drop"),
            Obstacle(
                testDescription: "a match of iptables in a rule of nftables",
                up:
                    "iptables-nft -A INPUT -p tcp -m multiport --dports 22,1000:1100 -m conntrack --ctstate NEW -j DROP",
                down: "nft 'delete table ip filter'",
                warning:
                    "other hosts cannot reach 1080/tcp: dropped by iptables filter INPUT: meta l4proto tcp -m multiport",
                isInFilter: true),
            Obstacle(
                testDescription: "a set of ipset's that has our port, in a rule of nftables",
                up: "ipset create blocked bitmap:port range 0-65535; ipset add blocked 1080; "
                    + "iptables-nft -A INPUT -p tcp -m set --match-set blocked dst -j DROP",
                down: "nft 'delete table ip filter'; ipset destroy blocked",
                warning: "other hosts cannot reach 1080/tcp: dropped by iptables filter INPUT: meta l4proto tcp -m set "
                    + "--match-set blocked dst", isInFilter: true),
            Obstacle(
                testDescription: "a set of ipset's that has another, in a rule of nftables",
                up: "ipset create blocked bitmap:port range 0-65535; ipset add blocked 1081; "
                    + "iptables-nft -A INPUT -p tcp -m set --match-set blocked dst -j DROP",
                down: "nft 'delete table ip filter'; ipset destroy blocked", warning: nil, isInFilter: true),
            Obstacle(
                testDescription: "a firewall by iptables-nft that lets our port in",
                up: """
                    iptables-nft -P INPUT DROP; iptables-nft -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT; \
                    iptables-nft -A INPUT -m conntrack --ctstate INVALID -j DROP; \
                    iptables-nft -A INPUT -p tcp -m multiport --dports 22,1080 -j ACCEPT; \
                    iptables-nft -A INPUT -p udp -m multiport --dports 53,1053 -j ACCEPT
                    """,
                down: "nft 'delete table ip filter'", warning: nil, isInFilter: true),
        ]

        static let ofIPTables: [Obstacle] = [
            Obstacle(
                testDescription: "NOTRACK", up: "iptables-legacy -t raw -A PREROUTING -p udp --dport 1053 -j NOTRACK",
                down: "iptables-legacy -t raw -F", warning: "packets for 1053/udp are not tracked", transport: .udp),
            Obstacle(
                testDescription: "mangle", up: "iptables-legacy -t mangle -A INPUT -p tcp --dport 1080 -j DROP",
                down: "iptables-legacy -t mangle -D INPUT 1",
                warning: "other hosts cannot reach 1080/tcp: dropped by iptables mangle INPUT"),
            Obstacle(
                testDescription: "another mark, by iptables",
                up: "iptables-legacy -t mangle -A INPUT -p tcp --dport 1080 -j MARK --set-mark 5",
                down: "iptables-legacy -t mangle -D INPUT 1", warning: "packets for 1080/tcp get another mark",
                hasAdvice: false),
            Obstacle(
                testDescription: "OUTPUT", up: "iptables-legacy -A OUTPUT -d 10.11.0.0/16 -j REJECT",
                down: "iptables-legacy -D OUTPUT 1",
                warning: "10.11.0.2 gets nothing of 1080/tcp: dropped by iptables filter OUTPUT"),
            Obstacle(
                testDescription: "a set of ipset's that has our port",
                up: "ipset create blocked hash:ip,port; ipset add blocked 10.1.0.1,tcp:1080; "
                    + "iptables-legacy -A INPUT -m set --match-set blocked dst,dst -j DROP",
                down: "iptables-legacy -D INPUT 1; ipset destroy blocked",
                warning: "some packets for 1080/tcp may be dropped (it depends on set blocked)", hasAdvice: false),
            Obstacle(
                testDescription: "a rule against replies", up: "ip rule add iif v11 prohibit",
                down: "ip rule del iif v11", warning: "replies of 10.11.0.2 do not come through", hasAdvice: false),
            Obstacle(
                testDescription: "a table for the published address",
                up: "ip route add default dev v11 table 77; ip rule add from 10.1.0.1 lookup 77",
                down: "ip rule del from 10.1.0.1; ip route flush table 77",
                warning: "replies to clients in the network of v1 leave by v11", hasAdvice: false),
            Obstacle(
                testDescription: "a rule against a mark of ours", up: "ip rule add fwmark 0x100 prohibit",
                down: "ip rule del fwmark 0x100",
                warning: "10.11.0.2 gets nothing: a rule of this node's forbids what is marked so", hasAdvice: false),
            Obstacle(
                testDescription: "an interface that does not forward",
                up: "sysctl -w net.ipv4.conf.v11.forwarding=0", down: "sysctl -w net.ipv4.conf.v11.forwarding=1",
                warning: "replies of 10.11.0.2 do not come through: v11 does not forward"),
        ]

        static var obstacles: [Obstacle] {
            (RuleTool.tested.contains(.nftables) ? ofNFTables : []) + ofIPTables
        }

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
                    "nft insert rule ip filter INPUT tcp dport 1080 accept",
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
