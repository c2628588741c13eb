import MeshKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests.RefusalTests {
    /// Rules that the kernel does not take: what was in force before still is.
    @Suite struct RuleTests {
        struct Obstacle: Sendable, CustomStringConvertible {
            /// What carries the rules, and what is to.
            var from: RuleTool, to: RuleTool
            /// For `sh -ec` on the node: puts the obstacle there, and takes it away.
            var there = ":", gone = ":"
            /// A module that is not to be had, and those that need it.
            var module: (name: String, users: [String])?
            var status: Int32
            /// The part, and the reason.
            var words: [String]

            var description: String { "\(from) to \(to): \(module?.name ?? there)" }
        }

        static let obstacles: [Obstacle] =
            RuleTool.tested.contains(.nftables)
            ? [
                Obstacle(
                    from: .nftables, to: .iptables, there: heldSetOfAnotherType,
                    gone: "iptables -D INPUT -m set --match-set mesh-snat4 src -j ACCEPT; ipset destroy mesh-snat4",
                    status: 1, words: ["mesh-snat4", "hash:net", "-A INPUT -m set --match-set mesh-snat4 src"]),
                Obstacle(
                    from: .nftables, to: .iptables, module: ("xt_ipvs", []), status: 69,
                    words: ["iptables", "table nat", "-m ipvs", "xt_ipvs"]),
                Obstacle(
                    from: .nftables, to: .iptables, module: ("ip_set_hash_ipmark", []), status: 69,
                    words: ["mesh-snat4", "ip_set_hash_ipmark"]),
                Obstacle(
                    from: .iptables, to: .nftables, module: ("nft_masq", []), status: 69,
                    words: ["nftables", "masquerade", "nft_masq"]),
                Obstacle(
                    from: .iptables, to: .nftables,
                    module: ("nft_fib", ["nft_fib_inet", "nft_fib_ipv4", "nft_fib_ipv6"]),
                    status: 69, words: ["nftables", "fib daddr type local", "nft_fib_inet"]),
            ]
            // This kernel has no nftables of the family.
            : [Obstacle(from: .iptables, to: .nftables, status: 69, words: ["nftables", "family inet"])]

        /// A set that is not as it takes is replaced, but not while somebody's rule looks into it.
        private static let heldSetOfAnotherType =
            "ipset create mesh-snat4 hash:net; iptables -A INPUT -m set --match-set mesh-snat4 src -j ACCEPT"

        @Test(arguments: obstacles) func theOldRulesStayInForce(obstacle: Obstacle) async throws {
            try await MeshHost.with(rules: obstacle.from) { host in
                try await host.startServers()
                try await host.addTasks("--local")
                try await host.publishSome()
                try await host.node.check(["sh", "-ec", obstacle.there])
                if let (module, users) = obstacle.module {
                    // There and back, which loads all that it takes: then just the one is missing.
                    try await host.meshctl("reconcile", "--rules", obstacle.to.rawValue)
                    try await host.meshctl("reconcile", "--rules", obstacle.from.rawValue)
                    try await Shell.check("sh", "-ec", Self.unloading(users + [module]))
                }
                let kernel = try await host.kernelText().inNoOrder()
                let documents = try [host.storeText(), host.ledgerText()].map { $0.withoutGeneration() }

                let ran = try await host.meshctl(["reconcile", "--rules", obstacle.to.rawValue])
                try await Shell.check("sh", "-ec", Self.loadingAgain)
                #expect(ran.status == obstacle.status, "\(ran)")
                for word in obstacle.words { #expect(ran.error.contains(word), "\(word): \(ran)") }
                #expect(!ran.error.contains("taking the change back failed"), "\(ran)")

                let kernelNow = try await host.kernelText().inNoOrder()
                #expect(kernelNow == kernel, "\(difference(kernel, kernelNow))")
                let documentsNow = try [host.storeText(), host.ledgerText()].map { $0.withoutGeneration() }
                #expect(documentsNow == documents)
                let answers = try await host.client.get(host.clientLink.near4, port: 1080, count: 4)
                #expect(counted(answers) == ["task1 10.1.0.2": 2, "task2 10.1.0.2": 2])
                try await host.node.check(["sh", "-ec", obstacle.gone])
                #expect(try await host.meshctl(["plan"]).status == 0)
            }
        }

        /// As a version of meshctl that is to come may leave them behind.
        @Test func aSetOfAnotherTypeIsReplaced() async throws {
            try await MeshHost.with(rules: .iptables) { host in
                try await host.startServers()
                try await host.addTasks("--local")
                try await host.publishSome()
                for command in [["publish", "1081:80", "nginx"], ["reset"]] {
                    try await host.node.check(
                        "sh", "-ec",
                        """
                        for tool in iptables ip6tables; do
                            for table in mangle nat; do
                                $tool-save -t $table | grep -- '-A .* mesh-mark-udp ' | sed 's/^-A/-D/' |
                                    while read -r rule; do $tool -t $table $rule; done
                            done
                        done
                        ipset destroy mesh-mark-udp
                        ipset create mesh-mark-udp hash:ip
                        ipset add mesh-mark-udp 192.0.2.1
                        """)
                    let plan = try await host.meshctl(["plan"])
                    #expect(plan.output.contains("set mesh-mark-udp is hash:ip"), "\(plan)")
                    let ran = try await host.meshctl(command)
                    #expect(ran.status == 0, "\(ran)")
                    #expect(try await host.meshctl(["plan"]).status == 0)
                    guard command != ["reset"] else { break }
                    for port: UInt16 in [1080, 1081] {
                        let answers = try await host.client.get(host.clientLink.near4, port: port, count: 4)
                        #expect(counted(answers) == ["task1 10.1.0.2": 2, "task2 10.1.0.2": 2])
                    }
                    let set = try await host.node.check("ipset", "save", "mesh-mark-udp")
                    #expect(set.contains("bitmap:port") && set.contains("40009"), "\(set)")
                }
                #expect(try await host.node.check("ipset", "list", "-name") == "")
            }
        }

        /// Nothing was there before, and nothing is after. The rules come last, and are refused: what comes before them is
        /// there by then.
        @Test func aPassThatFailsIsTakenBack() async throws {
            try await MeshHost.with(tasks: 0, rules: .iptables) { host in
                try await host.meshctl("task", "add", "nginx", "10.0.0.2")
                let programs = host.topology.directory.appending("programs")
                let (program, seen) = (programs.appending("iptables-restore"), programs.appending("seen"))
                try await Shell.check("mkdir", programs.string)
                try program.write(
                    """
                    #!/bin/sh
                    document=$(cat)
                    case $document in *mesh-mark-tcp*)
                        { ipvsadm -Sn; ip -o link; ipset list -n; } >\(seen)
                        echo "iptables-restore: line 4 failed" >&2
                        exit 1
                    esac
                    PATH=${PATH#*:}
                    printf '%s\\n' "$document" | iptables-restore "$@"
                    """)
                try await Shell.check("chmod", "+x", program.string)
                // Their settings come with the modules.
                try await Shell.check("modprobe", "-a", "ip_vs", "nf_conntrack")
                let kernel = try await host.kernelText()
                let settings = try await host.settings()
                let links = try await host.node.check("ip", "-o", "link")
                let path = try await Shell.check("sh", "-c", "printf %s \"$PATH\"")
                let ran = try await host.meshctl(
                    ["publish", "1080:80", "nginx"], environment: ["PATH": "\(programs):\(path)"])
                #expect(ran.status == 1, "\(ran)")
                #expect(ran.error.contains("line 4 failed") && !ran.error.contains("taking the change back"), "\(ran)")
                for part in ["-A -f 256", "-a -f 256 -r 10.0.0.2:80", "meshctl-lo", "mesh-mark-tcp"] {
                    #expect(try seen.text().contains(part), "\(part) was not there when the rules were refused")
                }
                let kernelNow = try await host.kernelText()
                #expect(kernelNow == kernel)
                #expect(try await host.node.check("ip", "-o", "link") == links)
                let settingsNow = try await host.settings()
                #expect(settingsNow == settings)
                #expect(try !host.storeText().contains("1080"))
            }
        }

        /// `ip netns exec` itself wants its PATH.
        private static func publishWithoutPrograms(_ host: MeshHost) async throws -> Ran {
            try await host.node.run([
                "env", "PATH=/nonexistent", "MESHCTL_STATE_DIR=\(host.stateDirectory)",
                "MESHCTL_RULES=\(host.tool)", try BuiltProducts.path("meshctl"), "publish", "1080:80", "nginx",
            ])
        }

        @Test func withoutIptablesItExitsWith69() async throws {
            try await MeshHost.with(tasks: 0, rules: .iptables) { host in
                let ran = try await Self.publishWithoutPrograms(host)
                #expect(ran.status == 69, "\(ran)")
                #expect(ran.error.contains("install the package iptables"), "\(ran)")
            }
        }

        /// nftables needs no program at all.
        @Test(.enabled(if: RuleTool.tested.contains(.nftables), "this kernel has no nftables of the family inet"))
        func nftablesStartsNoProgram() async throws {
            try await MeshHost.with(rules: .nftables) { host in
                try await host.startServers()
                try await host.addTasks("--local")
                // Else it would say, and rightly, that it switches forwarding on where no rule keeps it from forwarding
                // for everybody: some kernels give a namespace the settings of the first one, and some do not.
                try await host.node.check("sysctl", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
                let ran = try await Self.publishWithoutPrograms(host)
                #expect(ran.status == 0 && ran.error == "", "\(ran)")
                let answers = try await host.client.get(host.clientLink.near4, port: 1080, count: 4)
                #expect(counted(answers) == ["task1 10.1.0.2": 2, "task2 10.1.0.2": 2])
            }
        }

        static let missing: [(tool: RuleTool, module: String, users: String, hint: String)] =
            (RuleTool.tested.contains(.nftables)
                ? [
                    (.nftables, "nf_tables", "nft_|nf_tables|nf_flow_table", "modules nf_tables"),
                    (.nftables, "ip_vs", "ip_vs|xt_ipvs", "modprobe ip_vs"),
                ] : [])
            + [
                (.iptables, "ip_vs", "ip_vs|xt_ipvs", "modprobe ip_vs"),
                (.iptables, "ip_set", "xt_set|ip_set", "modules ip_set"),
            ]

        /// A kernel that can load no module, which is what one without them looks like.
        @Test(arguments: missing)
        func withoutAModuleItExitsWith69(
            tool: RuleTool, module: String, users: String, hint: String
        ) async throws {
            let program = try BuiltProducts.path("meshctl")
            // What stands on a module goes before it, and namespaces that other tests left go in their own time.
            let ran = try await Shell.run(
                [
                    "unshare", "--net", "sh", "-c",
                    """
                    for try in $(seq 50); do
                        for name in $(lsmod | awk '$1 ~ /^(\(users))/ { print $1 }'); do rmmod "$name" 2>/dev/null; done
                        lsmod | grep -q '^\(module) ' || break
                        sleep 0.2
                    done
                    lsmod | grep -q '^\(module) ' && { echo "\(module) is still loaded" >&2; lsmod >&2; exit 99; }
                    [ \(module) = ip_vs ] || modprobe ip_vs || exit 98
                    loader=$(cat /proc/sys/kernel/modprobe)
                    echo /bin/false >/proc/sys/kernel/modprobe
                    "\(program)" publish 1080:80 nginx
                    status=$?
                    echo "$loader" >/proc/sys/kernel/modprobe
                    exit $status
                    """,
                ],
                environment: [
                    "MESHCTL_STATE_DIR": "/tmp/state-without-\(module)-\(tool)", "MESHCTL_RULES": tool.rawValue,
                ])
            #expect(ran.status == 69, "\(ran)")
            #expect(ran.error.contains(hint), "\(ran)")
        }

        /// Of modules, the last one after those that need it. A module that others use stays, and this fails.
        private static func unloading(_ modules: [String]) -> String {
            """
            for try in $(seq 50); do
                for name in \(modules.joined(separator: " ")); do rmmod $name 2>/dev/null || true; done
                lsmod | grep -q '^\(modules.last!) ' || break
                sleep 0.2
            done
            ! lsmod | grep '^\(modules.last!) ' >&2
            cp /proc/sys/kernel/modprobe /tmp/modprobe
            echo /bin/false >/proc/sys/kernel/modprobe
            """
        }

        private static let loadingAgain = "[ ! -e /tmp/modprobe ] || cat /tmp/modprobe >/proc/sys/kernel/modprobe"
    }
}

extension String {
    /// Counts what was saved.
    fileprivate func withoutGeneration() -> String { filteringLines { !$0.contains("\"generation\"") } }
}
