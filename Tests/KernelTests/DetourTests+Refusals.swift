import IPVSKit
import MeshKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests.DetourTests {
    /// Hosts that cannot carry the detour: all but 127.0.0.1 is published, nothing is left half built, and it is not tried
    /// again until somebody asks for it.
    @Suite struct RefusalTests {
        struct Obstacle: Sendable, CustomStringConvertible {
            /// For `bash -ec` outside of the node, with `$NODE` and `$HELPER`: puts the obstacle there, and takes it away.
            var there: String, gone: String
            /// What is said of it.
            var reason: String

            var description: String { there }

            fileprivate func run(_ script: String, on host: MeshHost) async throws {
                let ran = try await Shell.run(
                    ["bash", "-ec", script],
                    environment: ["NODE": host.node.name, "HELPER": try host.node.helper().name])
                guard ran.status == 0 else { throw Shell.Failed(ran: ran) }
            }
        }

        static let obstacles: [Obstacle] = [
            Obstacle(
                there: "ip -n $NODE link add meshctl-lo type bridge", gone: "ip -n $NODE link del meshctl-lo",
                reason: "not meshctl's"),
            Obstacle(
                there: "ip -n $NODE link add meshctl-lo type veth peer name other",
                gone: "ip -n $NODE link del meshctl-lo", reason: "not meshctl's"),
            Obstacle(
                there: "ip -n $NODE addr add 169.254.113.1/24 dev v1",
                gone: "ip -n $NODE addr del 169.254.113.1/24 dev v1", reason: "169.254.113.1 is an address of v1"),
            Obstacle(
                there: "ip -n $NODE addr add 169.254.113.2/16 dev v1",
                gone: "ip -n $NODE addr del 169.254.113.2/16 dev v1", reason: "169.254.113.2 is an address of v1"),
            Obstacle(
                there: "ip -n $NODE route add 169.254.113.0/24 dev v1", gone: "ip -n $NODE route del 169.254.113.0/24",
                reason: "is reached by v1"),
            Obstacle(
                there: "ip -n $NODE route add 169.254.113.3/32 dev v1", gone: "ip -n $NODE route del 169.254.113.3/32",
                reason: "169.254.113.3/32 is reached by v1"),
            // The addresses are free, but what is sent to them goes elsewhere: known only once all is up.
            Obstacle(
                there: """
                    ip -n $NODE rule add to 169.254.113.2 lookup 77
                    ip -n $NODE route add default via 10.1.0.2 table 77
                    """,
                gone: "ip -n $NODE rule del to 169.254.113.2 lookup 77; ip -n $NODE route flush table 77",
                reason: "cannot reach 169.254.113.2 by the interface meshctl-lo"),
            Obstacle(
                there: "mkdir /run/netns/$HELPER", gone: "rmdir /run/netns/$HELPER",
                reason: "cannot remove the namespace meshctl-lo-"),
        ]

        @Test(arguments: RuleTool.tested) func whatIsInTheWayStaysAndIsTriedAgainOnDemand(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                try await host.startServers()
                for obstacle in Self.obstacles {
                    try await obstacle.run(obstacle.there, on: host)
                    let before = try await host.node.linkText()
                    func expectUntouched(_ when: String) async throws {
                        let now = try await host.node.linkText()
                        #expect(now == before, "\(obstacle): \(when)")
                    }
                    try await host.addTasks()
                    let published = try await host.meshctl(["publish", "1080:80", "nginx"])
                    #expect(published.status == 0, "\(obstacle): \(published)")
                    #expect(published.error.contains("127.0.0.1 is not answered on this host"), "\(published)")
                    #expect(published.error.contains(obstacle.reason), "\(obstacle): \(published)")
                    try await expectUntouched("published")
                    let others = try await host.client.get(host.clientLink.near4, port: 1080, count: 2)
                    #expect(counted(others) == ["task1 10.11.0.1": 1, "task2 10.12.0.1": 1], "\(obstacle)")
                    #expect(try await host.node.get("127.0.0.1", port: 1080, count: 1) == ["Connection refused"])

                    let plan = try await host.meshctl(["plan"])
                    #expect(plan.status == 0, "\(obstacle): \(plan)")
                    // The obstacle is still there.
                    let retried = try await host.meshctl(["reconcile", "--retry"])
                    #expect(retried.status == 0 && retried.error.contains(obstacle.reason), "\(obstacle): \(retried)")
                    try await expectUntouched("tried again")

                    try await obstacle.run(obstacle.gone, on: host)
                    let free = try await host.node.linkText()
                    let passed = try await host.meshctl(["reconcile"])
                    #expect(passed.output.hasPrefix("Nothing to do"), "\(obstacle): \(passed)")
                    let unchanged = try await host.node.linkText()
                    #expect(unchanged == free, "\(obstacle): a pass tried again")

                    let raised = try await host.meshctl(["reconcile", "--retry"])
                    #expect(raised.status == 0 && raised.error == "", "\(obstacle): \(raised)")
                    let planned = try await host.meshctl(["plan"])
                    #expect(planned.status == 0 && planned.error == "", "\(obstacle): \(planned)")
                    let answers = try await host.node.get("127.0.0.1", port: 1080, count: 2)
                    #expect(counted(answers) == ["task1 10.11.0.1": 1, "task2 10.12.0.1": 1], "\(obstacle)")

                    try await host.meshctl("reset")
                    let reset = try await host.node.linkText()
                    #expect(reset == free, "\(obstacle)")
                }
            }
        }

        /// Hosts that configure link-local addresses have this route, and those with a default route one for all.
        @Test(arguments: RuleTool.tested) func mindsNoRouteToAllLinkLocalAddresses(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                try await host.startServers()
                try await host.node.ip(
                    ["addr add 169.254.7.7/16 dev v1", "route add default via \(host.clientLink.far4)"])
                try await host.addTasks()
                let published = try await host.meshctl(["publish", "1080:80", "nginx"])
                #expect(published.status == 0 && !published.error.contains("127.0.0.1"), "\(published)")
                let answers = try await host.node.get("127.0.0.1", port: 1080, count: 2)
                #expect(counted(answers) == ["task1 10.11.0.1": 1, "task2 10.12.0.1": 1])
                #expect(try await host.meshctl(["plan"]).status == 0)
            }
        }

        /// As in a container whose settings somebody else has made: all that is there is as it should be, and nothing that
        /// is new can be set.
        @Test(arguments: RuleTool.tested) func doesWithoutWhereSettingsAreReadOnly(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                try await host.startServers()
                try await host.addTasks()
                let before = try await host.node.linkText()
                try await host.meshctl("publish", "1080:80", "nginx")
                try await host.node.ip(["link del meshctl-lo"])
                let reconciled = try await host.meshctl(
                    ["reconcile"],
                    after: "mount --bind /proc/sys /proc/sys; mount -o remount,ro,bind /proc/sys")
                #expect(reconciled.status == 0, "\(reconciled)")
                for words in ["127.0.0.1 is not answered on this host", "/proc/sys is mounted read-only here"] {
                    #expect(reconciled.error.contains(words), "\(words): \(reconciled)")
                }
                let links = try await host.node.linkText()
                #expect(links == before)
                #expect(try await host.meshctl(["plan"]).status == 0)
                let others = try await host.client.get(host.clientLink.near4, port: 1080, count: 2)
                #expect(counted(others) == ["task1 10.11.0.1": 1, "task2 10.12.0.1": 1])

                try await host.meshctl("reconcile", "--retry")
                #expect(try await host.meshctl(["plan"]).status == 0)
                let answers = try await host.node.get("127.0.0.1", port: 1080, count: 2)
                #expect(counted(answers) == ["task1 10.11.0.1": 1, "task2 10.12.0.1": 1])
            }
        }

        /// The name is given and looked up in the same place, wherever process 1 has its root.
        @Test(arguments: RuleTool.tested) func worksWhereTheFirstProcessIsInAChroot(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                try await host.startServers()
                try await host.addTasks()
                let before = try await host.node.linkText()
                let root = host.topology.directory.appending("root")
                try await Shell.check("mkdir", root.string)
                // The inner shell is process 1 of the namespace, and in the chroot; meshctl is its child. Names of namespaces
                // end with the shell.
                let ran = try await host.node.run(
                    [
                        "unshare", "--mount", "--pid", "--fork", "sh", "-ec",
                        """
                        mount --rbind / "$ROOT"
                        mount -t proc proc "$ROOT/proc"
                        exec chroot "$ROOT" sh -ec '
                            for round in 1 2; do "$0" publish 1080:80 nginx; "$0" plan; done
                            "$0" reset' "$0"
                        """, try BuiltProducts.path("meshctl"),
                    ],
                    environment: [
                        "ROOT": root.string, "MESHCTL_STATE_DIR": host.stateDirectory.string,
                        "MESHCTL_RULES": tool.rawValue,
                    ])
                #expect(ran.status == 0 && !ran.error.contains("127.0.0.1"), "\(ran)")
                #expect(ran.output.contains("Nothing to do: the kernel holds what it should."), "\(ran)")
                let after = try await host.node.linkText()
                #expect(after == before)
            }
        }

        /// `ip netns exec` runs a program in a mount namespace that ends with it; `nsenter` does not.
        @Test(arguments: [["ip", "netns", "exec", "NODE"], ["nsenter", "--net=/run/netns/NODE"]])
        func outlivesTheProgramThatInstalls(_ prefix: [String]) async throws {
            try await MeshHost.with { host in
                try await host.startServers()
                try await host.addTasks()
                let before = try await host.node.linkText()
                let program = try BuiltProducts.path("meshctl")
                func run(_ command: String...) async throws -> Ran {
                    try await Shell.run(
                        prefix.map { $0.replacing("NODE", with: host.node.name) } + [program] + command,
                        environment: [
                            "MESHCTL_STATE_DIR": host.stateDirectory.string, "MESHCTL_RULES": host.tool.rawValue,
                        ])
                }
                for _ in 1...2 {
                    let published = try await run("publish", "1080:80", "nginx")
                    #expect(published.status == 0, "\(published)")
                    // Whoever lists namespaces sees it, and can enter.
                    #expect(try await host.node.helper().reaches(LoopbackDetour.nodeAddress))
                    let answers = try await host.node.get("127.0.0.1", port: 1080, count: 2)
                    #expect(counted(answers) == ["task1 10.11.0.1": 1, "task2 10.12.0.1": 1])
                    for plan in [try await run("plan"), try await host.meshctl(["plan"])] {
                        #expect(plan.status == 0, "\(plan)")
                    }
                }
                #expect(try await run("unpublish", "1080").status == 0)
                let after = try await host.node.linkText()
                #expect(after == before)
            }
        }
    }
}
