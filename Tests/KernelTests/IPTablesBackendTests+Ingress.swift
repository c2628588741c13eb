import Conntrack
import IPVSKit
import TestSupport
import Testing

@testable import RuleKit

extension KernelTests.IPTablesBackendTests {
    /// Nothing of others is touched, and nothing of ours is left.
    private static func with(_ body: (RuleHost) async throws -> Void) async throws {
        try await RuleHost.with { host in
            try await host.addForeignThings()
            let before = try await host.rules()
            try await body(host)
            #expect(try await host.rules() == before)
        }
    }

    @Test func aNodeWithASandboxIsReadBack() async throws {
        try await Self.with { host in
            try await host.checkRole(
                .nodeWithSandbox,
                damages: [
                    (
                        "iptables -t nat -F MESH-INGRESS",
                        "iptables nat MESH-INGRESS: rule missing: -A MESH-INGRESS -p sctp"
                    ),
                    (
                        "ip6tables -t nat -D OUTPUT -m addrtype --dst-type LOCAL -j MESH-INGRESS",
                        "ip6tables nat: jump missing: -A OUTPUT -m addrtype --dst-type LOCAL -j MESH-INGRESS"
                    ),
                    (
                        "ip6tables -t nat -F MESH-SNAT",
                        "ip6tables nat MESH-SNAT: rule missing: -A MESH-SNAT -s fd18::/64 ! -o mesh_gw -j MASQUERADE"
                    ),
                    (
                        "iptables -F MESH-FORWARD",
                        "iptables filter MESH-FORWARD: rule missing: -A MESH-FORWARD -o mesh_sbox"
                    ),
                    (
                        "iptables -t nat -F MESH-INGRESS; ipset destroy mesh-in-sctp4",
                        "ipset: set mesh-in-sctp4 missing"
                    ),
                    ("ipset add mesh-inside4 10.9.0.0/24 nomatch", "ipset mesh-inside4: element not ours: 10.9.0.0/24"),
                ])
        }
    }

    @Test func aSandboxIsReadBack() async throws {
        try await Self.with { host in
            try await host.checkRole(
                .sandbox,
                damages: [
                    (
                        "ip6tables -t nat -D MESH-SNAT -p udp -m ipvs --ipvs -j SNAT --to-source :1024-21023",
                        "ip6tables nat MESH-SNAT: rule missing: -A MESH-SNAT -p udp"
                    ),
                    (
                        "iptables -t mangle -F MESH-MSS",
                        "iptables mangle MESH-MSS: rule missing: -A MESH-MSS -p tcp -m tcp --tcp-flags SYN SYN "
                            + "-j TCPMSS --set-mss 1410"
                    ),
                    (
                        "ip6tables -t mangle -D PREROUTING -p tcp -m tcp --tcp-flags SYN SYN -j MESH-MSS",
                        "ip6tables mangle: jump missing: -A PREROUTING -p tcp -m tcp --tcp-flags SYN SYN -j MESH-MSS"
                    ),
                ])
        }
    }

    @Test func aTaskIsReadBack() async throws {
        try await Self.with { host in
            try await host.reconcile(.task)
            #expect(!(try await host.namespace.check("ipset", "list", "-name").contains("mesh-")))
            let hasZones = try await Conntrack().hasZones()
            try await host.checkRole(
                hasZones ? .zonedTask : .task,
                damages: (hasZones
                    ? [
                        (
                            "ip6tables -t raw -F MESH-ZONE",
                            "ip6tables raw MESH-ZONE: rule missing: -A MESH-ZONE -i eth0 -m mac --mac-source 02:42:0a:ff:00:03"
                        ),
                        ("iptables -t raw -F; iptables -t raw -X", "iptables raw MESH-ZONE: chain missing"),
                    ] : []) + [
                        (
                            "iptables -t mangle -F MESH-SENDER",
                            "rule missing: -A MESH-SENDER -i eth0 -m mac --mac-source 02:42:0a:ff:00:03"
                        ),
                        (
                            "ip6tables -t mangle -F MESH-RETURN",
                            "ip6tables mangle MESH-RETURN: rule missing: -A MESH-RETURN -m conntrack --ctdir REPLY"
                        ),
                        ("iptables -t nat -D INPUT -j MESH-SNAT", "iptables nat: jump missing: -A INPUT -j MESH-SNAT"),
                        ("iptables -t nat -F MESH-TASK", "rule missing: -A MESH-TASK -i eth0 -j DNAT"),
                        ("ip6tables -t nat -A MESH-SNAT -j ACCEPT", "rule not ours: -A MESH-SNAT -j ACCEPT"),
                    ])
        }
    }

    @Test func eachRoleReplacesEachOther() async throws {
        try await Self.with { host in
            for rules in [RuleSet.nodeWithSandbox, .sandbox, .everything, .nodeWithSandbox, .sandbox] {
                try await host.reconcile(rules)
                try #require(try await host.changes(to: rules).isEmpty)
            }
            try await host.backend.apply([.uninstall])
        }
    }

    /// A hundred more ports cost no rule, wherever their services are.
    @Test func aPortElsewhereCostsNoRule() async throws {
        try await Self.with { host in
            var rules = RuleSet.nodeWithSandbox
            try await host.reconcile(rules)
            let before = try await host.ruleCount()
            for port in 6000...6099 as ClosedRange<UInt16> {
                let mark = FirewallMark(rawValue: 0x1000 + UInt32(port))!
                rules.ports[PortBinding(port, port % 2 == 0 ? .tcp : .sctp)] = PortRule(mark: mark, isElsewhere: true)
            }
            try await host.reconcile(rules)
            #expect(try await host.changes(to: rules).isEmpty)
            #expect(try await host.ruleCount() == before)
            try await host.backend.apply([.uninstall])
        }
    }
}

extension RuleHost {
    /// What the tools print of rules and sets, but for tables without any: the nft variant leaves them.
    fileprivate func rules() async throws -> [Substring] {
        try await kernelText().split(separator: "\n").filter { line in
            ["-A ", ":MESH", "create ", "add "].contains { line.hasPrefix($0) }
        }
    }
}
