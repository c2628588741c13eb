import IPVSKit
import MeshKit
import Netlink
import SystemPackage
import TestSupport
import Testing

extension KernelTests.DetourTests {
    @Suite struct FaultTests {
        @Test(arguments: RuleTool.tested) func isPutUpOnceAndTakenDownWhole(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                try await host.startServers()
                try await host.addTasks()
                let before = try await host.node.linkText()
                #expect(try await host.node.detourParts() == [])

                try await host.meshctl("publish", "1080:80", "nginx")
                let installed = try await host.node.linkText()
                #expect(installed != before)
                #expect(try await host.node.detourParts() == [try host.node.helper().name, "meshctl-lo"])
                try await Self.expectAnswers(host, "once it is put up")
                #expect(try await Self.ipv6Addresses(host) == ["fd6d:6573:6863:746d::1", "fd6d:6573:6863:746d::2"])
                for command in [["reconcile"], ["publish", "1081:80", "nginx"]] {
                    #expect(try await host.meshctl(command).status == 0)
                    let again = try await host.node.linkText()
                    #expect(again == installed, "\(command) did something to the links")
                }

                // Without IPv6 tasks, the pair has no IPv6 addresses.
                for task in host.tasks {
                    try await host.meshctl("task", "rm", "--now", "nginx", "\(task.link.far6)")
                }
                #expect(try await Self.ipv6Addresses(host) == [])
                #expect(try await host.meshctl(["plan"]).status == 0)
                try await Self.expectAnswers(host, "without IPv6 tasks")
                try await host.meshctl("task", "add", "nginx", "\(host.tasks[0].link.far6)")
                #expect(try await host.node.get("::1", port: 1080, count: 1) == ["task1 fd0b::1"])
                #expect(try await host.meshctl(["plan"]).status == 0)

                try await host.meshctl("reset")
                let after = try await host.node.linkText()
                #expect(after == before)
                #expect(try await host.node.detourParts() == [])
            }
        }

        /// Those of the ends of the pair, the node's first, apart from link-local ones.
        private static func ipv6Addresses(_ host: MeshHost) async throws -> [String] {
            var addresses: [String] = []
            for (place, interface) in [(host.node, "meshctl-lo"), (try host.node.helper(), "eth0")] {
                let text = try await place.check(
                    "ip", "-6", "-o", "address", "show", "dev", interface, "scope", "global")
                addresses += text.matches(of: /inet6 (\S+)\/64/).map { String($0.1) }
            }
            return addresses
        }

        struct Fault: Sendable {
            var name: String
            /// Given the name of the node and that of the helper.
            var command: @Sendable (String, String) -> String
            /// What `plan` says of it.
            var said: [String]
        }

        static let faults: [Fault] = [
            Fault(
                name: "the link is deleted", command: { node, _ in "ip -n \(node) link del meshctl-lo" },
                said: [
                    "make the veth pair meshctl-lo and eth0 in loopback", "raise meshctl-lo with 169.254.113.1/30",
                    "raise eth0 in loopback with 169.254.113.2/30",
                    "net/ipv4/conf/meshctl-lo/route_localnet = 1", "net/ipv4/conf/eth0/send_redirects = 0",
                ]),
            Fault(
                name: "the link is down", command: { node, _ in "ip -n \(node) link set meshctl-lo down" },
                said: ["raise meshctl-lo with 169.254.113.1/30", "meshctl-lo is down"]),
            Fault(
                name: "the other end is down", command: { _, helper in "ip -n \(helper) link set eth0 down" },
                said: ["raise eth0 in loopback with 169.254.113.2/30", "eth0 in loopback is down"]),
            Fault(
                name: "the address is removed",
                command: { node, _ in "ip -n \(node) addr del 169.254.113.1/30 dev meshctl-lo" },
                said: ["mend meshctl-lo", "meshctl-lo lacks the address 169.254.113.1/30"]),
            Fault(
                name: "the helper's address is removed",
                command: { _, helper in "ip -n \(helper) addr flush dev eth0" },
                said: ["mend eth0 in loopback", "eth0 in loopback lacks the address 169.254.113.2/30"]),
            Fault(
                name: "the interface has another address, too",
                command: { node, _ in "ip -n \(node) addr add 169.254.113.5/32 dev meshctl-lo" },
                said: ["mend meshctl-lo", "meshctl-lo has the address 169.254.113.5/32, which is not the mesh's"]),
            Fault(
                name: "the subnet's route is removed",
                command: { node, _ in "ip -n \(node) route del 169.254.113.0/30" },
                said: ["mend meshctl-lo", "meshctl-lo lacks the route 169.254.113.0/30 src 169.254.113.1"]),
            Fault(
                name: "the neighbour is forgotten",
                command: { node, _ in "ip -n \(node) neigh del 169.254.113.2 dev meshctl-lo" },
                said: ["mend meshctl-lo", "meshctl-lo does not know its neighbour 169.254.113.2"]),
            Fault(
                name: "the hardware address is another",
                command: { _, helper in "ip -n \(helper) link set eth0 address 02:00:00:00:00:99" },
                said: ["mend eth0 in loopback", "eth0 in loopback has the hardware address 02:00:00:00:00:99"]),
            Fault(
                name: "the alias is another", command: { node, _ in "ip -n \(node) link set meshctl-lo alias mine" },
                said: ["mend meshctl-lo", "meshctl-lo has the alias mine"]),
            Fault(
                name: "settings are reset",
                command: { node, helper in
                    """
                    ip netns exec \(node) sysctl -qw net.ipv4.conf.meshctl-lo.route_localnet=0
                    ip netns exec \(helper) sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.send_redirects=1
                    """
                },
                said: [
                    "net/ipv4/conf/meshctl-lo/route_localnet = 1 (is 0)",
                    "net/ipv4/conf/all/send_redirects = 0 (is 1), in loopback",
                    "net/ipv4/ip_forward = 1 (is 0), in loopback",
                ]),
            Fault(
                name: "the other end is in another place",
                command: { node, helper in "ip -n \(helper) link set eth0 netns \(node)" },
                said: [
                    "remove the interface meshctl-lo", "make the veth pair meshctl-lo and eth0 in loopback",
                    "eth0 in loopback is missing",
                ]),
            Fault(
                name: "the namespace is deleted, and the link with it",
                command: { node, helper in
                    """
                    ip netns del \(helper)
                    for _ in $(seq 500); do ip -n \(node) link show meshctl-lo >/dev/null 2>&1 || break; sleep 0.01; done
                    """
                },
                said: [
                    "make the namespace HELPER, for the place loopback",
                    "make the veth pair meshctl-lo and eth0 in loopback", "install the mesh's rules, in loopback",
                ]),
            Fault(
                name: "the namespace is another, of before",
                command: { node, helper in
                    "ip netns del \(helper); ip netns add \(helper); ip -n \(node) link del meshctl-lo || true"
                },
                said: [
                    "make the veth pair meshctl-lo and eth0 in loopback", "install the mesh's rules, in loopback",
                ]),
            Fault(
                name: "the name stands for nothing",
                command: { node, helper in "umount /run/netns/\(helper); ip -n \(node) link del meshctl-lo || true" },
                said: [
                    "remove the namespace HELPER, of the place loopback",
                    "make the namespace HELPER, for the place loopback",
                    "make the veth pair meshctl-lo and eth0 in loopback",
                ]),
        ]

        /// One after the other on one node, so that each repair is also the next one's start.
        @Test(arguments: RuleTool.tested) func isNamedAndRepaired(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                try await host.startServers()
                try await host.addTasks()
                try await host.meshctl("publish", "1080:80", "nginx")
                let helper = try host.node.helper().name
                let intact = try await Self.withoutNumbers(host.node.linkText())
                for fault in Self.faults {
                    try await Shell.check("bash", "-ec", fault.command(host.node.name, helper))
                    let plan = try await host.meshctl(["plan"])
                    #expect(plan.status == 2, "where \(fault.name): \(plan)")
                    for words in fault.said {
                        let words = words.replacing("HELPER", with: helper)
                        #expect(plan.output.contains(words), "where \(fault.name): \(words): \(plan)")
                    }
                    try await host.meshctl("reconcile")
                    let after = try await host.meshctl(["plan"])
                    #expect(after.status == 0, "where \(fault.name): \(after)")
                    try await Self.expectAnswers(host, "where \(fault.name)")
                }
                let repaired = try await Self.withoutNumbers(host.node.linkText())
                #expect(repaired == intact)
            }
        }

        /// The name is gone, but a program that is in the namespace keeps it, and so the link.
        @Test(arguments: RuleTool.tested) func aNamespaceWithoutANameIsMadeAnew(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                try await host.startServers()
                try await host.addTasks()
                try await host.meshctl("publish", "1080:80", "nginx")
                let helper = try host.node.helper().name
                let handle = try NamespaceHandle(path: FilePath("/run/netns/\(helper)"))
                try await Shell.check("ip", "netns", "del", helper)
                let plan = try await host.meshctl(["plan"])
                #expect(plan.status == 2, "\(plan)")
                for words in ["remove the interface meshctl-lo", "make the namespace \(helper)", "make the veth pair"] {
                    #expect(plan.output.contains(words), "\(words): \(plan)")
                }
                try await host.meshctl("reconcile")
                #expect(try await host.meshctl(["plan"]).status == 0)
                try await Self.expectAnswers(host, "once it is made anew")
                let left = try await RouteClient(in: handle).link(named: "eth0")
                #expect(left == nil, "the pair of before is still there")
            }
        }

        private static func expectAnswers(_ host: MeshHost, _ when: String) async throws {
            let answers = try await host.node.get("127.0.0.1", port: 1080, count: 2)
            #expect(counted(answers) == ["task1 10.11.0.1": 1, "task2 10.12.0.1": 1], "\(when)")
        }

        /// Indexes of interfaces, identities of mounts.
        private static func withoutNumbers(_ text: String) -> String {
            text.split(separator: "\n")
                .map { String($0).replacing(#/^[0-9]+: /#, with: "").replacing(/[@:](if|\[)[0-9]+/, with: "") }
                .sorted().joined(separator: "\n")
        }
    }
}
