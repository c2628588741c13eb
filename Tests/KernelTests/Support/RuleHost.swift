import IPVSKit
import TestSupport

@testable import RuleKit

/// A namespace that a backend writes its rules into, from outside.
struct BackendHost<Backend: RuleBackend> {
    let namespace: TestNamespace
    let backend: Backend

    static func with(
        backend: (NetworkNamespace) -> Backend, _ body: (BackendHost) async throws -> Void
    ) async throws {
        try await Topology.with { topology in
            let namespace = try await topology.namespace("node")
            try await body(BackendHost(namespace: namespace, backend: backend(.named(namespace.name))))
        }
    }

    /// The changes that lead from what is there to what is wanted.
    func changes(to rules: RuleSet) async throws -> [RuleChange] {
        let changes = backend.render(rules).changes(from: try await backend.read(expecting: rules.role))
        return changes.additions + changes.removals
    }

    func reconcile(_ rules: RuleSet) async throws {
        let (additions, removals) = backend.render(rules).changes(from: try await backend.read(expecting: rules.role))
        try await backend.apply(additions)
        try await backend.apply(removals)
    }

    /// What the tools print of rules and sets, but for what is counted and random.
    func kernelText() async throws -> String {
        var text = ""
        for command in [["iptables-save"], ["ip6tables-save"], ["ipset", "save", "-sorted"]] {
            text +=
                try await namespace.check(command).split(separator: "\n").filter { !$0.hasPrefix("#") }
                .map {
                    $0.replacing(/\[\d+:\d+\]/, with: "[]").replacing(/\ (hashsize \d+|initval 0x[0-9a-f]+)/, with: "")
                }
                .joined(separator: "\n") + "\n"
        }
        return text
    }

    func ruleCount() async throws -> Int {
        let rules = try await namespace.check("iptables-save") + (try await namespace.check("ip6tables-save"))
        return rules.split(separator: "\n").count { $0.hasPrefix("-A") }
    }

    /// What other programs have in every table that ours are in.
    func addForeignThings() async throws {
        try await namespace.check(
            "sh", "-e", "-c",
            """
            ipset create others hash:net
            ipset add others 192.0.2.0/24
            for tool in iptables ip6tables; do
                $tool -P FORWARD DROP
                $tool -N OTHERS
                $tool -A FORWARD -j OTHERS
                $tool -A OTHERS -p tcp --dport 22 -j ACCEPT
                $tool -t nat -A POSTROUTING -o v1 -p udp --dport 9 -j MASQUERADE
                $tool -t mangle -A PREROUTING -p tcp --dport 7 -j MARK --set-mark 0x7
            done
            iptables -A INPUT -m set --match-set others src -j DROP
            """)
    }
}

typealias RuleHost = BackendHost<IPTablesBackend>

extension RuleHost {
    static func with(_ body: (RuleHost) async throws -> Void) async throws {
        try await with(backend: { IPTablesBackend(in: $0) }, body)
    }
}

extension RuleSet {
    /// One of each that there can be.
    static var everything: RuleSet {
        var rules = RuleSet(role: .balancer(detour: Detour(to: ["10.99.0.2"], by: "mesh0")))
        rules.ports = [
            PortBinding(1080, .tcp): PortRule(mark: 0x100),
            PortBinding(1081, .udp): PortRule(
                mark: 0x101, allowed: ["10.0.0.0/8", "10.1.2.3/32", "fd00::/16", "::/0"]),
            PortBinding(1082, .sctp): PortRule(mark: 0x102, allowed: ["0.0.0.0/0"]),
            PortBinding(10000...10999, .tcp): PortRule(mark: 0x103),
            PortBinding(20000...20099, .udp): PortRule(mark: 0x104, allowed: ["192.168.0.0/16"]),
            PortBinding(30000...30010, .sctp): PortRule(mark: 0x105),
            PortBinding(1090, .tcp, at: "10.1.0.1"): PortRule(mark: 0x106, allowed: ["10.1.0.0/24", "fd01::/64"]),
            PortBinding(1090, .udp, at: "fd01::1"): PortRule(mark: 0x107, allowed: ["fd01::/64"]),
            PortBinding(2000...2100, .sctp, at: "10.1.0.1"): PortRule(mark: 0x108, allowed: []),
            PortBinding(1083, .tcp): PortRule(mark: 0x109, target: 80),
            PortBinding(3000...3010, .tcp): PortRule(mark: 0x10A, target: 4000),
            PortBinding(3020, .udp, at: "fd01::1"): PortRule(mark: 0x10B, target: 53),
            PortBinding(3021...3022, .sctp, at: "10.1.0.1"): PortRule(mark: 0x10C, target: 5000),
        ]
        rules.virtualAddresses = ["10.200.0.1": 0x110, "fd20::1": 0x110]
        rules.masqueraded = [BalancedPath(0x100, to: "10.11.0.2"), BalancedPath(0x100, to: "fd0b::2")]
        rules.hairpins = ["10.11.0.0/24", "fd0b::/64"]
        rules.tasks = ["10.11.0.2", "10.12.0.2", "fd0b::2"]
        return rules
    }
}
