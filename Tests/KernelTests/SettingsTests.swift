import IPVSKit
import MeshKit
import TestSupport
import Testing

extension KernelTests {
    /// Kernel settings that meshctl writes, or causes the kernel to write, and what becomes of them.
    @Suite struct SettingsTests {
        /// Their settings come with the modules.
        private static func loadModules() async throws {
            try await Shell.check("modprobe", "-a", "ip_vs", "nf_conntrack")
        }

        private static func values(_ settings: [String], on node: TestNamespace) async throws -> [String] {
            try await node.check(["sysctl", "-n"] + settings).split(separator: "\n").map(String.init)
        }

        /// The kernel copies the switch of all interfaces to each of them: those that forwarded before go on doing so, and
        /// the others do not.
        @Test(arguments: RuleTool.tested, AddressFamily.allCases)
        func eachInterfaceForwardsAsItDidBefore(tool: RuleTool, family: AddressFamily) async throws {
            try await MeshHost.with(tasks: 0, rules: tool) { host in
                try await Self.loadModules()
                try await host.node.ip(["link add br0 type bridge", "link add out0 type dummy"])
                let conf = family == .ipv4 ? "net.ipv4.conf" : "net.ipv6.conf"
                let switches = ["all", "default", "br0", "out0", "v1"].map { "\(conf).\($0).forwarding" }
                try await host.node.check(
                    "sysctl", "-qw", "\(conf).all.forwarding=1", "\(conf).all.forwarding=0", "\(conf).br0.forwarding=1")
                let before = try await host.settings()
                #expect(try await Self.values(switches, on: host.node) == ["0", "0", "1", "0", "0"])

                try await host.meshctl("task", "add", "nginx", family == .ipv4 ? "10.0.0.2" : "fd00::2")
                try await host.meshctl("publish", "1080:80", "nginx")
                #expect(try await Self.values(switches, on: host.node) == ["1", "1", "1", "1", "1"])
                try await host.node.ip(["link add later type dummy"])
                let later = "\(conf).later.forwarding"
                #expect(try await Self.values([later], on: host.node) == ["1"])

                try await host.meshctl("reset")
                #expect(try await Self.values(switches, on: host.node) == ["0", "0", "1", "0", "0"])
                #expect(try await Self.values([later], on: host.node) == ["0"])
                try await host.node.ip(["link del later"])
                let after = try await host.settings()
                #expect(after == before, "\(difference(before.lines, after.lines))")
            }
        }

        /// Only what a pass wrote first is taken back, and only while it has the value that it wrote.
        @Test(arguments: RuleTool.tested) func whatOthersSetSinceStays(tool: RuleTool) async throws {
            try await MeshHost.with(tasks: 0, rules: tool) { host in
                try await Self.loadModules()
                try await host.node.ip(["link add out0 type dummy"])
                let settings = [
                    "net.ipv4.vs.conn_reuse_mode", "net.ipv6.conf.out0.accept_ra", "net.ipv4.ip_forward",
                    "net.ipv4.vs.conntrack", "net.ipv4.vs.expire_nodest_conn",
                ]
                try await host.node.check(
                    "sysctl", "-qw", "net.ipv4.vs.conn_reuse_mode=0", "net.ipv4.ip_forward=0",
                    "net.ipv4.vs.conntrack=1",
                    "net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.all.forwarding=0", "net.ipv6.conf.out0.accept_ra=1"
                )
                try await host.node.check("ipvsadm", "--set", "900", "0", "0")
                try await host.meshctl("task", "add", "nginx", "10.0.0.2")
                try await host.meshctl("task", "add", "nginx", "fd00::2")
                try await host.meshctl("publish", "1080:80", "nginx")
                #expect(try await Self.values(settings, on: host.node) == ["1", "2", "1", "1", "1"])
                #expect(try await host.node.check("ipvsadm", "-l", "--timeout").contains(" 7500 "))

                try await host.node.check(
                    "sysctl", "-qw", "net.ipv4.vs.conn_reuse_mode=2", "net.ipv6.conf.out0.accept_ra=0")
                try await host.node.check("ipvsadm", "--set", "1200", "0", "0")
                try await host.meshctl("reset")
                #expect(try await Self.values(settings, on: host.node) == ["2", "0", "0", "1", "0"])
                #expect(try await host.node.check("ipvsadm", "-l", "--timeout").contains(" 1200 "))
            }
        }

        /// A host that hears of its default route by router advertisements goes on hearing them once it forwards: by any
        /// interface that may lead to a router, whether one was heard there yet or not.
        @Test(arguments: RuleTool.tested) func interfacesGoOnHearingRouters(tool: RuleTool) async throws {
            try await MeshHost.with(tasks: 1, rules: tool) { host in
                try await Self.loadModules()
                try await host.node.ip([
                    "link add out0 type dummy", "link add router0 type dummy", "link add br0 type bridge",
                    "link add port0 type dummy", "link set port0 master br0", "link add deaf0 type dummy",
                ])
                let names = ["out0", "router0", "deaf0", "br0", "port0", "v1", "v11"]
                let settings = names.map { "net.ipv6.conf.\($0).accept_ra" }
                try await host.node.check(
                    ["sysctl", "-qw", "net.ipv6.conf.all.forwarding=1", "net.ipv6.conf.all.forwarding=0"]
                        + settings.map { "\($0)=1" }
                        // This one forwarded all along, and that one never heard a router.
                        + ["net.ipv6.conf.router0.forwarding=1", "net.ipv6.conf.deaf0.accept_ra=0"])
                let before = try await host.settings()
                try await host.addTasks()
                try await host.meshctl("publish", "1080:80", "nginx")
                #expect(try await Self.values(settings, on: host.node) == ["2", "1", "0", "1", "1", "1", "1"])

                // One that comes later, as when a card is plugged in.
                try await host.node.ip(["link add later0 type dummy"])
                try await host.node.check("sysctl", "-qw", "net.ipv6.conf.later0.accept_ra=1")
                let plan = try await host.meshctl(["plan"])
                #expect(plan.status == 2, "\(plan)")
                #expect(plan.output.contains("sysctl  net/ipv6/conf/later0/accept_ra = 2 (is 1)"), "\(plan)")
                try await host.meshctl("reconcile")
                #expect(try await Self.values(["net.ipv6.conf.later0.accept_ra"], on: host.node) == ["2"])
                #expect(try await host.meshctl(["plan"]).status == 0)

                try await host.meshctl("reset")
                #expect(try await Self.values(["net.ipv6.conf.later0.accept_ra"], on: host.node) == ["1"])
                try await host.node.ip(["link del later0"])
                let after = try await host.settings()
                #expect(after == before, "\(difference(before.lines, after.lines))")
            }
        }

        /// That the node takes no published port for a connection of its own only helps.
        @Test(arguments: RuleTool.tested) func aPortThatCannotBeReservedIsServedAllTheSame(tool: RuleTool) async throws
        {
            try await MeshHost.with(rules: tool) { host in
                try await host.startServers()
                try await host.addTasks()
                let file = "/proc/sys/net/ipv4/ip_local_reserved_ports"
                let published = try await host.meshctl(
                    ["publish", "40000:80", "nginx"],
                    after: "mount --bind \(file) \(file); mount -o remount,ro,bind \(file)")
                #expect(published.status == 0, "\(published)")
                #expect(
                    published.error.contains(
                        "cannot set net/ipv4/ip_local_reserved_ports to 40000: Read-only file system"),
                    "\(published)")
                for (place, address) in [(host.client, host.clientLink.near4), (host.node, "127.0.0.1")] {
                    let answers = try await place.get(address, port: 40000, count: 2)
                    #expect(counted(answers) == ["task1 10.11.0.1": 1, "task2 10.12.0.1": 1], "\(address)")
                }
                let plan = try await host.meshctl(["plan"])
                #expect(plan.status == 2 && plan.output.contains("ip_local_reserved_ports = 40000"), "\(plan)")
                try await host.meshctl("reconcile")
                #expect(try await host.meshctl(["plan"]).status == 0)
                try await host.meshctl("reset")
                #expect(try await host.node.check("cat", file) == "\n")
            }
        }
    }
}

extension String {
    fileprivate var lines: [String] { split(separator: "\n").map(String.init) }
}
