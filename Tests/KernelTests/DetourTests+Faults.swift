import IPVSKit
import MeshKit
import Netlink
import TestSupport
import Testing

extension KernelTests.DetourTests {
    @Suite struct FaultTests {
        @Test func installsOnceAndRemovesAll() async throws {
            try await Topology.with { topology in
                let node = try await topology.namespace("node")
                let before = try await node.linkText()
                #expect(try await node.detour.observe() == .absent)
                try await node.detour.remove()

                try await node.detour.install()
                #expect(try await node.detour.observe() == .intact)
                let installed = try await node.linkText()
                #expect(installed != before)
                #expect(try await node.reaches(LoopbackDetour.helperAddress))
                for place in [node, try node.helper()] {
                    let ipv6 = try await place.check("ip", "-6", "-o", "address", "show", "scope", "link")
                    #expect(ipv6 == "", "the pair has IPv6 addresses")
                }
                try await node.detour.install()
                let again = try await node.linkText()
                #expect(again == installed, "the second time did something")

                // The fastest of many: what else the machine does makes some slow.
                var fastest = Duration.seconds(1)
                for _ in 0..<50 {
                    let took = try await ContinuousClock().measure { _ = try await node.detour.observe() }
                    fastest = min(fastest, took)
                }
                print("observing the detour takes \(fastest)")
                #expect(fastest < .milliseconds(50))

                try await node.detour.remove()
                let after = try await node.linkText()
                #expect(after == before)
                #expect(try await node.detour.observe() == .absent)
                // Threads that entered other namespaces have ended in there.
                #expect(try await soon { Set(try ownThreads().values).count == 1 })
            }
        }

        struct Fault: Sendable {
            var name: String
            /// Given the name of the node and that of the helper.
            var command: @Sendable (String, String) -> String
            /// Given that of the helper.
            var found: @Sendable (String) -> ObservedDetour
        }

        static let faults: [Fault] = [
            Fault(name: "the link is deleted") { node, _ in
                "ip -n \(node) link del meshctl-lo"
            } found: {
                .damaged(["meshctl-lo is missing", "eth0 is missing in \($0)"])
            },
            Fault(name: "the link is down") { node, _ in
                "ip -n \(node) link set meshctl-lo down"
            } found: { _ in
                .damaged(["meshctl-lo is down"])
            },
            Fault(name: "the other end is down") { _, helper in
                "ip -n \(helper) link set eth0 down"
            } found: {
                .damaged(["eth0 is down, in \($0)"])
            },
            Fault(name: "the address is removed") { node, _ in
                "ip -n \(node) addr del 169.254.113.1/30 dev meshctl-lo"
            } found: { _ in
                .damaged(["meshctl-lo lacks the address 169.254.113.1/30"])
            },
            Fault(name: "the helper's address is removed") { _, helper in
                "ip -n \(helper) addr flush dev eth0"
            } found: {
                .damaged(["eth0 lacks the address 169.254.113.2/30, in \($0)"])
            },
            Fault(name: "the subnet's route is removed") { node, _ in
                "ip -n \(node) route del 169.254.113.0/30"
            } found: { _ in
                .damaged(["169.254.113.2 is not reached by meshctl-lo"])
            },
            Fault(name: "settings are reset") { node, helper in
                """
                ip netns exec \(node) sysctl -qw net.ipv4.conf.meshctl-lo.route_localnet=0
                ip netns exec \(helper) sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.send_redirects=1
                """
            } found: {
                .damaged([
                    "net/ipv4/conf/meshctl-lo/route_localnet is 0, not 1",
                    "net/ipv4/conf/all/send_redirects is 1, not 0, in \($0)",
                    "net/ipv4/ip_forward is 0, not 1, in \($0)",
                ])
            },
            Fault(name: "the other end is in another place") { node, helper in
                "ip -n \(helper) link set eth0 netns \(node)"
            } found: {
                .damaged(["the other end of meshctl-lo is not in its namespace", "eth0 is missing in \($0)"])
            },
            Fault(name: "the namespace is deleted, and the link with it") { node, helper in
                """
                ip netns del \(helper)
                for _ in $(seq 500); do ip -n \(node) link show meshctl-lo >/dev/null 2>&1 || break; sleep 0.01; done
                """
            } found: { _ in
                .absent
            },
            Fault(name: "the namespace is another, of before") { node, helper in
                "ip netns del \(helper); ip netns add \(helper); ip -n \(node) link del meshctl-lo || true"
            } found: {
                .damaged(["meshctl-lo is missing", "eth0 is missing in \($0)"])
            },
            Fault(name: "the name stands for nothing") { node, helper in
                "umount /run/netns/\(helper); ip -n \(node) link del meshctl-lo || true"
            } found: {
                .damaged(["meshctl-lo is missing", "/run/netns/\($0) is not a network namespace"])
            },
        ]

        /// One after the other on one node, so that each repair is also the next one's start.
        @Test func namesAndRepairs() async throws {
            try await Topology.with { topology in
                let node = try await topology.namespace("node")
                let helper = try node.helper()
                try await node.detour.install()
                let intact = try await Self.withoutNumbers(node.linkText())
                for fault in Self.faults {
                    try await Shell.check("bash", "-ec", fault.command(node.name, helper.name))
                    let found = try await node.detour.observe()
                    #expect(found == fault.found(helper.name), "where \(fault.name)")

                    try await node.detour.install()
                    let repaired = try await node.detour.observe()
                    #expect(repaired == .intact, "where \(fault.name)")
                    #expect(try await node.reaches(LoopbackDetour.helperAddress), "where \(fault.name)")
                }
                let repaired = try await Self.withoutNumbers(node.linkText())
                #expect(repaired == intact)
            }
        }

        /// The name is gone, but a program that is in the namespace keeps it, and so the link.
        @Test func namesAndRepairsANamespaceWithoutAName() async throws {
            try await Topology.with { topology in
                let node = try await topology.namespace("node")
                try await node.detour.install()
                let handle = try NamespaceHandle(path: node.detour.namespacePath())
                try await Shell.check("ip", "netns", "del", node.helper().name)
                #expect(
                    try await node.detour.observe()
                        == .damaged([
                            "the other end of meshctl-lo is not in its namespace",
                            "the namespace \(node.helper().name) is missing",
                        ]))
                try await node.detour.install()
                #expect(try await node.detour.observe() == .intact)
                let left = try await DetachedThread.run(in: handle) { () -> Bool in
                    var socket = try RouteSocket()
                    return try socket.link(named: "eth0") != nil
                }
                #expect(!left, "the pair of before is still there")
            }
        }

        /// Indexes of interfaces, identities of mounts.
        private static func withoutNumbers(_ text: String) -> String {
            text.split(separator: "\n")
                .map { String($0).replacing(#/^[0-9]+: /#, with: "").replacing(/[@:](if|\[)[0-9]+/, with: "") }
                .sorted().joined(separator: "\n")
        }
    }
}
