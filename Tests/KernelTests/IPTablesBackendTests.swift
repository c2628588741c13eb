import IPVSKit
import TestSupport
import Testing

@testable import RuleKit

extension KernelTests {
    /// Tests the backend alone, in a namespace: it reads back what it writes into the kernel.
    @Suite struct IPTablesBackendTests {
        private static let marked = IPSet(.markedTCP, .ipv4).name
        private static let allowed = IPSet(.allowed, .ipv4).name

        @Test func whatIsWrittenIsReadBackAndTouchesNothingOfOthers() async throws {
            try await RuleHost.with { host in
                try await host.addForeignThings()
                let before = try await host.kernelText()
                #expect(try await host.backend.read(expecting: RuleSet.everything.role) == ObservedRules())

                var rules = RuleSet.everything
                rules.ports[PortBinding(40000...49999, .udp)] = PortRule(mark: 0x120)
                try await host.reconcile(rules)
                let found = try await host.backend.read(expecting: rules.role)
                #expect(found.skeleton == .intact)
                let wanted = host.backend.render(rules).elements
                #expect(found.elements.subtracting(wanted).isEmpty)
                #expect(wanted.subtracting(found.elements).isEmpty)
                #expect(try await host.changes(to: rules).isEmpty)

                try await host.reconcile(RuleSet())
                let after = try await host.kernelText()
                #expect(after == before)
                #expect(try await host.backend.read(expecting: RuleSet.everything.role) == ObservedRules())
            }
        }

        @Test(arguments: [Detour(to: ["10.99.0.2"], by: "mesh0"), nil])
        func aRoleIsReplacedByAnother(_ detour: Detour?) async throws {
            try await RuleHost.with { host in
                var rules = RuleSet.everything
                rules.role = .balancer(detour: detour)
                try await host.reconcile(rules)
                #expect(try await host.changes(to: rules).isEmpty)
                try await host.reconcile(.everything)
                #expect(try await host.changes(to: .everything).isEmpty)
            }
        }

        @Test func theOtherEndOfADetourHasNoSets() async throws {
            try await RuleHost.with { host in
                let rules = RuleSet(role: .turnaround(node: ["10.99.0.1"]))
                try await host.reconcile(rules)
                #expect(try await host.changes(to: rules).isEmpty)
                #expect(try await host.namespace.check("ipset", "list", "-name") == "")
                try await host.namespace.check("iptables", "-t", "nat", "-F", "MESH-TURN")
                try #require(try await !host.changes(to: rules).isEmpty)
                try await host.reconcile(rules)
                #expect(try await host.changes(to: rules).isEmpty)
                try await host.backend.apply([.uninstall])
                #expect(try await host.backend.read(expecting: rules.role).skeleton == .absent)
            }
        }

        /// Each command damages the rules behind our back. The repair must make exactly the changes that are needed.
        private static let drifts: [(command: [String], changes: [RuleChange])] = [
            (
                ["ipset", "del", marked, "10500"],
                [.put(SetElement(marked, ports: 10500...10500, value: .mark(0x103)), replacing: [])]
            ),
            (
                ["ipset", "add", marked, "99", "skbmark", "0x100"],
                [.remove(SetElement(marked, ports: 99...99, value: .mark(0x100)))]
            ),
            (
                ["ipset", "add", marked, "10501", "skbmark", "0x666", "-exist"],
                [
                    .put(
                        SetElement(marked, ports: 10501...10501, value: .mark(0x103)),
                        replacing: [SetElement(marked, ports: 10501...10501, value: .mark(0x666))])
                ]
            ),
            (
                ["ipset", "add", marked, "10502", "skbmark", "0x103/0xfff", "-exist"],
                [
                    .put(
                        SetElement(marked, ports: 10502...10502, value: .mark(0x103)),
                        replacing: [SetElement(marked, ports: 10502...10502)])
                ]
            ),
            (
                ["ipset", "add", allowed, "203.0.113.0/24,tcp:5-7"],
                [.remove(SetElement(allowed, transport: .tcp, ports: 5...7, prefix: "203.0.113.0/24"))]
            ),
            (
                ["iptables", "-t", "nat", "-F", "MESH-TARGET"],
                [
                    .put(
                        SetElement(
                            "mesh-target4", mark: 0x109, transport: .tcp, ports: 1083...1083, value: .port(80)),
                        replacing: []),
                    .put(
                        SetElement(
                            "mesh-target4", mark: 0x10A, transport: .tcp, ports: 3000...3010, value: .port(4000)),
                        replacing: []),
                    .put(
                        SetElement(
                            "mesh-target4", mark: 0x10C, transport: .sctp, ports: 3021...3022, address: "10.1.0.1",
                            value: .port(5000)), replacing: []),
                ]
            ),
            (
                [
                    "ip6tables", "-t", "nat", "-A", "MESH-TARGET", "-p", "udp", "-m", "mark", "--mark", "0x101", "-m",
                    "udp", "--dport", "7", "-j", "DNAT", "--to-destination", ":9",
                ],
                [
                    .remove(
                        SetElement("mesh-target6", mark: 0x101, transport: .udp, ports: 7...7, value: .port(9)))
                ]
            ),
        ]

        @Test func whatOthersChangeIsSeenAndMended() async throws {
            try await RuleHost.with { host in
                try await host.reconcile(.everything)
                for (command, changes) in Self.drifts {
                    try await host.namespace.check(command)
                    #expect(try await host.changes(to: .everything) == changes, "after \(command)")
                    try await host.reconcile(.everything)
                    try #require(try await host.changes(to: .everything).isEmpty, "after \(command)")
                }
            }
        }

        /// Damages that are repaired by installing the constant rules again.
        private static let faults: [(command: [String], fault: String)] = [
            (
                ["iptables", "-t", "mangle", "-F", "MESH-ALLOW"],
                "iptables mangle MESH-ALLOW: rule missing: -A MESH-ALLOW -i lo -j RETURN"
            ),
            (
                ["ip6tables", "-t", "nat", "-D", "POSTROUTING", "-j", "MESH-SNAT"],
                "ip6tables nat: jump missing: -A POSTROUTING -j MESH-SNAT"
            ),
            (["iptables", "-t", "filter", "-N", "MESH-OLD"], "iptables filter: chain not ours: MESH-OLD"),
            (
                ["iptables", "-t", "nat", "-A", "MESH-TARGET", "-j", "ACCEPT"],
                "iptables nat MESH-TARGET: rule not ours, or twice: -A MESH-TARGET -j ACCEPT"
            ),
            (
                ["ipset", "add", "mesh-hairpin4", "10.0.0.0/8,10.1.0.0/16"],
                "ipset mesh-hairpin4: element not ours: 10.0.0.0/8,10.1.0.0/16"
            ),
            (
                ["ipset", "add", "mesh-allow4", "10.9.0.0/16,tcp:1", "nomatch"],
                "ipset mesh-allow4: element not ours: 10.9.0.0/16,tcp:1"
            ),
            (
                [
                    "sh", "-c",
                    "iptables -t mangle -F && iptables -t mangle -X && ip6tables -t mangle -F && ipset destroy mesh-vip6",
                ],
                "ipset: set mesh-vip6 missing"
            ),
        ]

        @Test func aConstantPartThatIsDamagedIsPutUpAgain() async throws {
            try await RuleHost.with { host in
                try await host.reconcile(.everything)
                let healthy = try await host.kernelText()
                for (command, fault) in Self.faults {
                    try await host.namespace.check(command)
                    guard
                        case .damaged(let faults) = try await host.backend.read(expecting: RuleSet.everything.role)
                            .skeleton
                    else {
                        Issue.record("unseen: \(command)")
                        continue
                    }
                    #expect(faults.map(\.description).contains(fault), "after \(command)")
                    try await host.reconcile(.everything)
                    try #require(try await host.changes(to: .everything).isEmpty, "after \(command)")
                    let mended = try await host.kernelText()
                    #expect(mended == healthy, "after \(command)")
                }
            }
        }

        @Test func aPublishedPortCostsNoRule() async throws {
            try await RuleHost.with { host in
                var rules = RuleSet()
                rules.ports[PortBinding(1, .tcp)] = PortRule(mark: 0x100, allowed: ["10.0.0.0/8"])
                try await host.reconcile(rules)
                let withOne = try await host.ruleCount()
                for port in 2...5000 as ClosedRange<UInt16> {
                    rules.ports[PortBinding(port, port % 2 == 0 ? .tcp : .udp)] =
                        PortRule(mark: FirewallMark(rawValue: 0x100 + UInt32(port))!)
                }
                try await host.reconcile(rules)
                #expect(try await host.changes(to: rules).isEmpty)
                #expect(try await host.ruleCount() == withOne)
                #expect(withOne > 20)
            }
        }

        /// More ports than a kernel accepts in one command.
        @Test func aListForALargeRangeFits() async throws {
            try await RuleHost.with { host in
                var rules = RuleSet()
                rules.ports[PortBinding(10768...30767, .udp)] = PortRule(mark: 0x100, allowed: ["10.0.0.0/8"])
                try await host.reconcile(rules)
                #expect(try await host.changes(to: rules).isEmpty)
                let count = try await host.namespace.check("ipset", "save", "mesh-allow4")
                    .utf8.count { $0 == UInt8(ascii: "\n") }
                #expect(count == 20001)
            }
        }
    }
}
