import IPVSKit
import TestSupport
import Testing

@testable import RuleKit

extension KernelTests.NFTablesBackendTests {
    private static func with(_ body: (BackendHost<NFTablesBackend>) async throws -> Void) async throws {
        try await BackendHost.with(backend: { NFTablesBackend(in: $0) }) { host in
            try await body(host)
            #expect(try await host.namespace.check("nft", "list", "ruleset") == "", "nothing is left")
        }
    }

    @Test func aNodeWithASandboxIsReadBack() async throws {
        try await Self.with { host in
            try await host.checkRole(
                .nodeWithSandbox,
                damages: [
                    ("nft flush chain inet meshctl unmark", "chain unmark: missing: meta mark @elsewhere"),
                    ("nft flush chain inet meshctl leave", "chain leave: missing: meta mark @elsewhere"),
                    ("nft flush chain inet meshctl nat-output", "chain nat-output: missing: ip6 daddr ::1 goto detour"),
                    (
                        "nft insert rule inet meshctl nat-prerouting meta mark 7 accept",
                        "chain nat-prerouting: not ours: meta mark 0x00000007 accept"
                    ),
                    (
                        "nft flush chain inet meshctl nat-postrouting",
                        "chain nat-postrouting: missing: oifname \"mesh_sbox\" ip saddr @insiders4 masquerade"
                    ),
                ])
        }
    }

    @Test func aSandboxIsReadBack() async throws {
        try await Self.with { host in
            try await host.checkRole(
                .sandbox,
                damages: [
                    (
                        """
                        handle=$(nft -a list chain inet meshctl nat-postrouting |
                            sed -n 's/.*ipv6 .*snat to :1024-21023 # handle //p')
                        nft delete rule inet meshctl nat-postrouting handle "$handle"
                        """,
                        "missing: meta mark @published meta nfproto ipv6 meta l4proto { tcp, udp, sctp } snat to :1024-21023"
                    ),
                    (
                        "nft flush chain inet meshctl segments",
                        "chain segments: missing: meta nfproto ipv6 tcp option maxseg size set 1390"
                    ),
                    (
                        "nft flush chain inet meshctl prerouting",
                        "chain prerouting: missing: tcp flags syn jump segments"
                    ),
                ])
        }
    }

    @Test func aTaskIsReadBack() async throws {
        try await Self.with { host in
            try await host.checkRole(
                .zonedTask,
                damages: [
                    (
                        "nft flush chain inet meshctl prerouting",
                        "missing: iifname \"eth0\" ether saddr 02:42:0a:ff:00:03"
                    ),
                    ("nft flush chain inet meshctl output", "missing: ct direction reply ct mark { 0x00007101,"),
                    ("nft flush chain inet meshctl zoning", "missing: iifname \"eth0\" ether saddr 02:42:0a:ff:00:03"),
                    ("nft delete chain inet meshctl nat-input", "chain nat-input missing"),
                    ("nft delete chain inet meshctl nat-postrouting", "chain nat-postrouting missing"),
                    ("nft flush chain inet meshctl nat-prerouting", "missing: iifname \"eth0\" ip6 saddr != fd25::/64"),
                ])
        }
    }

    /// Sets whose intervals have a key of one part hold two elements for each network.
    @Test func insidersBecomeNarrowerAndWider() async throws {
        let steps: [Set<IPPrefix>] = [
            ["10.0.0.0/8", "11.0.0.0/8", "fd00::/16"], ["10.1.0.0/16", "10.1.2.3", "fd00::/64", "fd00:0:0:1::/64"],
            ["0.0.0.0/0", "::/0"], ["255.255.255.255", "0.0.0.0/8", "8000::/1"], ["128.0.0.0/1", "127.0.0.0/8"], [],
        ]
        try await Self.with { host in
            for networks in steps + steps.reversed() {
                var rules = RuleSet.nodeWithSandbox
                rules.insiders = networks
                try await host.reconcile(rules)
                #expect(try await host.changes(to: rules).isEmpty, "\(networks)")
            }
            try await host.backend.apply([.uninstall])
        }
    }

    @Test func insidersThatOthersChangeAreMended() async throws {
        let rules = RuleSet.nodeWithSandbox
        let drifts: [(command: [String], changes: [String])] = [
            (["add", "{ 10.9.0.1-10.9.0.7 }"], ["- insiders4 10.9.0.1-10.9.0.7"]),
            (["add", "{ 255.0.0.1-255.255.255.255 }"], ["- insiders4 255.0.0.1-255.255.255.255"]),
            (["add", "{ 10.9.0.0/24 }"], ["- insiders4 10.9.0.0/24"]),
            (["delete", "{ 192.168.7.7 }"], ["+ insiders4 192.168.7.7/32"]),
        ]
        try await Self.with { host in
            try await host.reconcile(rules)
            for (command, wanted) in drifts {
                try await host.namespace.check([
                    "nft", command[0], "element", "inet", "meshctl", "insiders4", command[1],
                ])
                let changes = try await host.changes(to: rules).map { change in
                    switch change {
                    case .put(let element, let replaced) where replaced.isEmpty: "+ \(element)"
                    case .remove(let element): "- \(element)"
                    default: "\(change)"
                    }
                }
                #expect(changes == wanted)
                try await host.reconcile(rules)
                try #require(try await host.changes(to: rules).isEmpty, "after \(command)")
            }
            try await host.backend.apply([.uninstall])
        }
    }

    @Test func eachRoleReplacesEachOther() async throws {
        try await Self.with { host in
            for rules in [RuleSet.nodeWithSandbox, .task, .sandbox, .everything, .zonedTask, .sandbox, .task] {
                try await host.reconcile(rules)
                try #require(try await host.changes(to: rules).isEmpty)
            }
            try await host.backend.apply([.uninstall])
        }
    }
}
