import IPVSKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests {
    /// What others break, and what a pass makes of it.
    @Suite struct ReconcileTests {
        /// Each is done behind meshctl's back; `plan` must name what follows it.
        private static let faults: [(command: [String], name: String)] = [
            (["ipvsadm", "-d", "-f", "256", "-r", "10.11.0.2:80"], "add destination 10.11.0.2:80 to FWM 256"),
            (["ipvsadm", "-D", "-f", "256"], "create service FWM 256"),
            (
                ["ipvsadm", "-e", "-f", "256", "-r", "10.11.0.2:80", "-m", "-w", "9"],
                "change destination 10.11.0.2:80 of FWM 256: Masq, weight 1"
            ),
            (["ipvsadm", "-E", "-f", "256", "-s", "lc"], "change service FWM 256: scheduler rr"),
            (["ipvsadm", "-a", "-f", "256", "-r", "10.9.9.9:80", "-m"], "remove destination 10.9.9.9:80 from FWM 256"),
            (["ipvsadm", "-C"], "create service FWM 256"),
            (
                ["iptables", "-t", "mangle", "-F", "MESH-MARK"],
                "iptables mangle MESH-MARK: rule missing: -A MESH-MARK -p tcp"
            ),
            (
                ["iptables", "-t", "mangle", "-F"],
                "jump missing: -A PREROUTING -m addrtype --dst-type LOCAL -j MESH-MARK"
            ),
            (
                ["iptables", "-t", "nat", "-D", "POSTROUTING", "-j", "MESH-SNAT"],
                "iptables nat: jump missing: -A POSTROUTING -j MESH-SNAT"
            ),
            (
                ["ip6tables", "-t", "nat", "-A", "POSTROUTING", "-j", "MESH-SNAT"],
                "ip6tables nat: more than one jump to MESH-SNAT"
            ),
            (
                ["iptables", "-A", "MESH-FORWARD", "-j", "DROP"],
                "iptables filter MESH-FORWARD: rule not ours: -A MESH-FORWARD -j DROP"
            ),
            (
                ["sh", "-c", "ip6tables -t mangle -F && ip6tables -t mangle -X"],
                "ip6tables mangle MESH-MARK: chain missing"
            ),
            (["ipset", "del", "mesh-mark-tcp", "1080"], "mark 1080/tcp with 0x100"),
            (["ipset", "add", "mesh-mark-tcp", "1080", "skbmark", "0x777", "-exist"], "mark 1080/tcp with 0x100"),
            (["ipset", "add", "mesh-mark-tcp", "99", "skbmark", "0x100"], "mark 99/tcp no longer"),
            (["ipset", "flush"], "SNAT balanced packets to 10.11.0.2"),
            (
                ["sh", "-c", "iptables -t mangle -F && ip6tables -t mangle -F && ipset destroy mesh-mark-udp"],
                "ipset: set mesh-mark-udp missing"
            ),
            (["sysctl", "-qw", "net.ipv4.vs.conntrack=0"], "sysctl  net/ipv4/vs/conntrack = 1 (is 0)"),
        ]

        @Test func whatIsBrokenIsNamedAndPutBack() async throws {
            try await MeshHost.with { host in
                try await host.addTasks()
                try await host.meshctl("publish", "1080:80", "nginx")
                let healthy = try await host.kernelText().sortedLines()
                for (command, name) in Self.faults {
                    try await host.node.check(command)
                    let plan = try await host.meshctl(["plan"])
                    #expect(plan.status == 2, "after \(command): \(plan)")
                    #expect(plan.output.contains(name), "after \(command): \(plan)")
                    try await host.meshctl("reconcile")
                    let after = try await host.meshctl(["plan"])
                    try #require(after.status == 0, "after \(command) and reconcile: \(after)")
                    let kernelNow1 = try await host.kernelText().sortedLines()
                    #expect(kernelNow1 == healthy, "after \(command)")
                }
            }
        }

        /// Whatever point the process dies at, the next pass ends in the same kernel and leaves nothing over.
        @Test func aPassThatIsKilledIsFinishedByTheNext() async throws {
            try await MeshHost.with { host in
                try await host.addTasks()
                try await host.meshctl("publish", "1080:80", "nginx")
                let published = try await host.kernelText().sortedLines()
                try await host.meshctl("unpublish", "1080")
                let bare = try await host.kernelText()
                var seed = SystemRandomNumberGenerator()
                for round in 0..<6 {
                    let delay = Double.random(in: 0.05...0.9, using: &seed)
                    let edit = round % 2 == 0 ? ["publish", "1080:80", "nginx"] : ["unpublish", "1080"]
                    _ = try await host.meshctl(["reconcile"])
                    _ = try await host.node.run(
                        ["timeout", "-s", "KILL", "\(delay)", try BuiltProducts.path("meshctl")] + edit,
                        environment: ["MESHCTL_STATE_DIR": host.stateDirectory.string])
                    try await host.meshctl("reconcile")
                    #expect(try await host.meshctl(["plan"]).status == 0)
                    // As it was asked for or as it was before, and nothing between.
                    let isPublished = try host.storeText().contains("\"port\" : 1080")
                    let kernel = try await host.kernelText()
                    if isPublished {
                        #expect(
                            kernel.sortedLines().withoutMarks() == published.withoutMarks(), "killed after \(delay) s")
                    } else {
                        #expect(kernel == bare, "killed after \(delay) s")
                    }
                }
            }
        }

        @Test func resetLeavesNothingAndTouchesNothingOfOthers() async throws {
            try await MeshHost.with { host in
                try await host.addForeignThings()
                let before = try await host.kernelText()
                let settings = try await host.settings()

                try await host.addTasks()
                try await host.meshctl("publish", "1080:80", "nginx")
                try await host.meshctl("publish", "5353:53/udp", "nginx", "--scheduler", "mh")
                try await host.meshctl("publish", "1081:81", "other")
                let kernelNow2 = try await host.kernelText()
                #expect(kernelNow2 != before)
                #expect(try await host.node.check("ipvsadm", "-Ln").contains("FWM  257 mh"), "256 is another's here")

                try await host.meshctl("reset")
                let kernelNow3 = try await host.kernelText()
                #expect(kernelNow3 == before)
                let settingsNow4 = try await host.settings()
                #expect(settingsNow4 == settings)
                #expect(try await host.meshctl("reset") == "Nothing was up.\n")
            }
        }

        @Test func aPublishedPortCostsNoRule() async throws {
            try await MeshHost.with { host in
                try await host.addTasks()
                try await host.meshctl("publish", "1000:80", "nginx")
                func ruleCount() async throws -> Int {
                    let rules =
                        try await host.node.check("iptables-save") + (try await host.node.check("ip6tables-save"))
                    return rules.split(separator: "\n").filter { $0.hasPrefix("-A") }.count
                }
                let withOne = try await ruleCount()
                for port in 1001...1005 { try await host.meshctl("publish", "\(port):80", "nginx") }
                // The other 94 in one pass: a hundred commands would only take longer.
                let document = try host.storeText()
                let ports = (1006...1099).map { #"{"mark":\#($0 - 744),"port":\#($0),"target":80,"transport":"tcp"},"# }
                try host.stateDirectory.appending("mesh.json").write(
                    document.replacing("\"ports\" : [", with: "\"ports\" : [" + ports.joined(), maxReplacements: 1))
                try await host.meshctl("reconcile")

                #expect(try await host.node.check("ipset", "save", "mesh-mark-tcp").split(separator: "\n").count == 101)
                #expect(
                    try await host.node.check("ipvsadm", "-Sn").split(separator: "\n").filter { $0.hasPrefix("-A") }
                        .count == 200)
                #expect(try await ruleCount() == withOne)
            }
        }

        @Test func twentyAtOnceLoseNothing() async throws {
            try await MeshHost.with(tasks: 0) { host in
                try await host.meshctl("publish", "1080:80", "nginx")
                try await withThrowingTaskGroup(of: Ran.self) { group in
                    let addresses = (1...20).map { "10.20.0.\($0)" }
                    let node = host.node
                    let program = try BuiltProducts.path("meshctl")
                    let environment = ["MESHCTL_STATE_DIR": host.stateDirectory.string]
                    for address in addresses {
                        group.addTask {
                            try await node.run([program, "task", "add", "nginx", address], environment: environment)
                        }
                    }
                    for try await ran in group { #expect(ran.status == 0, "\(ran)") }
                }
                let listed = try await host.meshctl("task", "ls", "nginx").split(separator: "\n").count - 1
                #expect(listed == 20)
                let kernel = try await host.node.check("ipvsadm", "-Sn").split(separator: "\n").filter {
                    $0.hasPrefix("-a")
                }
                #expect(kernel.count == 20)
                #expect(try await host.meshctl(["plan"]).status == 0)
            }
        }
    }
}

extension MeshHost {
    /// What other programs on a host have: services, chains and sets in every table that the mesh uses.
    fileprivate func addForeignThings() async throws {
        try await node.check(
            "sh", "-e", "-c",
            """
            ipvsadm -A -t 10.1.0.1:8443 -s wlc -p 600
            ipvsadm -a -t 10.1.0.1:8443 -r 10.11.0.2:443 -m -w 5
            ipvsadm -A -f 256 -s sh -b sh-port
            ipvsadm -a -f 256 -r 10.12.0.2 -g
            ipvsadm -A -u [fd01::1]:53 -s rr
            ipset create others hash:net
            ipset add others 192.0.2.0/24
            for tool in iptables ip6tables; do
                $tool -P FORWARD DROP
                $tool -N OTHERS
                $tool -A FORWARD -j OTHERS
                $tool -A OTHERS -p tcp --dport 22 -j ACCEPT
                $tool -t nat -A POSTROUTING -o v1 -p udp --dport 9 -j MASQUERADE
                $tool -t mangle -A PREROUTING -p tcp --dport 7 -j MARK --set-mark 0x7
                $tool -t mangle -A OUTPUT -p tcp --dport 7 -j MARK --set-mark 0x7
            done
            iptables -A INPUT -m set --match-set others src -j DROP
            """)
    }

    /// The settings that the mesh may write.
    fileprivate func settings() async throws -> String {
        try await node.check(
            "sysctl", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding", "net.ipv4.vs.conntrack",
            "net.ipv4.vs.expire_nodest_conn", "net.ipv4.vs.expire_quiescent_template")
    }
}

extension String {
    /// For comparing what has no order of its own: the kernel lists destinations newest first.
    fileprivate func sortedLines() -> [String] {
        // A set's initval is random.
        split(separator: "\n").filter { !$0.hasPrefix(":") }.map { String($0).replacing(/\ initval .*/, with: "") }
            .sorted()
    }
}

extension [String] {
    /// A port that is published anew may have another mark.
    fileprivate func withoutMarks() -> [String] {
        map { $0.replacing(/-f \d+/, with: "-f M").replacing(/skbmark 0x[0-9a-f]+/, with: "skbmark M") }
    }
}
