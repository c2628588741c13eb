import IPVSKit
import MeshKit
import RuleKit
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// A firewall of the host's own that lets in nothing new.
enum HostFirewall: String, CaseIterable {
    case iptables, nftables

    func install(on node: TestNamespace) async throws {
        switch self {
        case .iptables:
            for command in ["iptables", "ip6tables"] {
                try await node.check(
                    command, "-A", "INPUT", "-m", "conntrack", "--ctstate", "ESTABLISHED", "-j", "ACCEPT")
                // Else neighbours would not find each other.
                if command == "ip6tables" {
                    try await node.check(command, "-A", "INPUT", "-p", "icmpv6", "-j", "ACCEPT")
                }
                try await node.check(command, "-P", "INPUT", "DROP")
            }
        case .nftables:
            try await node.check(
                "nft", "-f", "-",
                input: """
                    table inet host {
                        chain input {
                            type filter hook input priority 0; policy drop;
                            ct state established accept
                            meta l4proto ipv6-icmp accept
                        }
                    }

                    """)
        }
    }
}

extension KernelTests.TrafficTests {
    /// Those that this kernel has: nft's is there where our rules can be nft's.
    private static let firewalls: [HostFirewall] =
        RuleTool.tested.contains(.nftables) ? [.iptables, .nftables] : [.iptables]

    /// A policy of DROP keeps clients out; `publish` says so, and which lines let them in.
    @Test(arguments: RuleTool.tested, firewalls)
    func theLinesThatPublishNamesOpenTheFirewall(tool: RuleTool, firewall: HostFirewall) async throws {
        try await MeshHost.with(rules: tool) { host in
            let servers = try await host.serve(80, [.tcp])
            defer { servers.stop() }
            try await firewall.install(on: host.node)
            for task in host.tasks {
                for address in [task.link.far4, task.link.far6] {
                    try await host.meshctl("task", "add", "nginx", "\(address)", "--local")
                }
            }
            let ran = try await host.meshctl(["publish", "1080:80", "nginx"])
            #expect(ran.status == 0, "\(ran)")
            #expect(ran.error.contains("other hosts cannot reach 1080/tcp"), "\(ran)")
            let closed = try await host.client.ask(.tcp, host.clientLink.near4, 1080)
            #expect(closed.keys.allSatisfy { !$0.hasPrefix("task") }, "\(closed)")

            let lines = ran.error.matches(of: /type:  (.*)/).map { String($0.1) }
            try #require(!lines.isEmpty, "\(ran)")
            for line in lines { try await host.node.check(line.split(separator: " ").map(String.init)) }
            for (near, far) in host.places {
                let answers = try await host.client.ask(.tcp, near, 1080, times: 10)
                #expect(answers == ["task1 \(far) 80": 5, "task2 \(far) 80": 5], "after \(lines)")
                let own = try await host.node.ask(.tcp, near, 1080, times: 2)
                #expect(own == ["task1 \(near) 80": 1, "task2 \(near) 80": 1], "after \(lines)")
            }
            let loopback = try await host.node.ask(.tcp, "127.0.0.1", 1080, times: 2)
            #expect(loopback == ["task1 10.11.0.1 80": 1, "task2 10.12.0.1 80": 1], "after \(lines)")

            // The firewall sees what our rules have translated: a second port with the same target is the first to it,
            // which is open; a sticky one is that of the tasks, which is not.
            let second = try await host.meshctl(["publish", "1081:80", "nginx"])
            #expect(second.status == 0 && !second.error.contains("cannot reach"), "\(second)")
            #expect(
                try await host.client.ask(.tcp, host.clientLink.near4, 1081).keys.allSatisfy { $0.hasPrefix("task") })
            let sticky = try await host.meshctl(["publish", "1090:80", "nginx", "--sticky", "10m"])
            #expect(sticky.error.contains("other hosts cannot reach 1090/tcp"), "\(sticky)")
            for line in sticky.error.matches(of: /type:  (.*)/).map({ String($0.1) }) {
                try await host.node.check(line.split(separator: " ").map(String.init))
            }
            for (near, _) in host.places {
                let answers = try await host.client.ask(.tcp, near, 1090)
                #expect(answers.keys.allSatisfy { $0.hasPrefix("task") }, "\(answers) after \(sticky)")
            }

            // Also where the tasks come later.
            let early = try await host.meshctl(["publish", "1100:81", "early"])
            #expect(early.error.contains("other hosts cannot reach 1100/tcp"), "\(early)")
            let added = try await host.meshctl(["task", "add", "early", "\(host.tasks[0].link.far4)"])
            #expect(added.error.contains("other hosts cannot reach 1100/tcp"), "\(added)")
            let more = try await host.meshctl(["task", "add", "early", "\(host.tasks[1].link.far4)"])
            #expect(more.error == "", "\(more)")
        }
    }

    /// A process that has the port already would get nothing any more.
    @Test(arguments: RuleTool.tested) func aPortThatAProcessHasIsRefused(tool: RuleTool) async throws {
        try await MeshHost.with(rules: tool) { host in
            let servers = try await host.serve(80, [.tcp])
            defer { servers.stop() }
            let process = try await Responder("node", in: host.node, on: [.init(transport: .tcp, number: 1080)])
            defer { process.stop() }
            try await host.addTasks("--local")
            let refused = try await host.meshctl(["publish", "1080:80", "nginx"])
            #expect(refused.status == 65, "\(refused)")
            // The process is this one.
            #expect(refused.error.contains("(pid \(getpid())) on 0.0.0.0:1080/tcp"), "\(refused)")
            #expect(try await host.client.ask(.tcp, host.clientLink.near4, 1080) == ["node 10.1.0.2 1080": 1])

            let forced = try await host.meshctl(["publish", "1080:80", "nginx", "--force"])
            #expect(forced.status == 0, "\(forced)")
            for (near, far) in host.places {
                let answers = try await host.client.ask(.tcp, near, 1080, times: 10)
                #expect(answers == ["task1 \(far) 80": 5, "task2 \(far) 80": 5])
            }
            try await host.meshctl("unpublish", "1080")
            #expect(try await host.client.ask(.tcp, host.clientLink.near4, 1080) == ["node 10.1.0.2 1080": 1])
        }
    }

    /// A task may be a process of the node's own, and have the very port that is published.
    @Test(arguments: RuleTool.tested) func aTaskOnTheNodeMayHaveThePublishedPort(tool: RuleTool) async throws {
        try await MeshHost.with(rules: tool) { host in
            let servers = try await host.serve(8080, [.tcp])
            defer { servers.stop() }
            let own = try await Responder("node", in: host.node, on: [.init(transport: .tcp, number: 8080)])
            defer { own.stop() }
            try await host.addTasks("--local")
            for address in [host.clientLink.near4, host.clientLink.near6] {
                try await host.meshctl("task", "add", "nginx", "\(address)")
            }
            let published = try await host.meshctl(["publish", "8080:8080", "nginx"])
            #expect(published.status == 0, "\(published)")
            for (near, far) in host.places {
                let answers = try await host.client.ask(.tcp, near, 8080, times: 30)
                #expect(
                    answers == ["node \(far) 8080": 10, "task1 \(far) 8080": 10, "task2 \(far) 8080": 10])
                let fromNode = try await host.node.ask(.tcp, near, 8080, times: 30)
                #expect(
                    fromNode == ["node \(near) 8080": 10, "task1 \(near) 8080": 10, "task2 \(near) 8080": 10])
            }
            let loopback = try await host.node.ask(.tcp, "127.0.0.1", 8080, times: 30)
            #expect(
                Set(loopback.keys.map { $0.split(separator: " ")[0] }) == ["node", "task1", "task2"], "\(loopback)")
            #expect(loopback.values.allSatisfy { $0 == 10 }, "\(loopback)")
        }
    }

    /// A rule of somebody else's that translates the port before we see it.
    @Test(arguments: RuleTool.tested, firewalls)
    func aPortThatSomebodyElseTranslatesIsRefused(tool: RuleTool, kind: HostFirewall) async throws {
        try await MeshHost.with(rules: tool) { host in
            let servers = try await host.serve(80, [.tcp])
            defer { servers.stop() }
            let name: String
            switch kind {
            case .iptables:
                try await host.node.check(
                    "iptables", "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "1080", "-j", "DNAT",
                    "--to-destination", "10.11.0.2:80")
                name = "iptables nat PREROUTING"
            case .nftables:
                try await host.node.check(
                    "nft", "-f", "-",
                    input: """
                        table ip foreign {
                            chain prerouting {
                                type nat hook prerouting priority -100;
                                tcp dport 1080 dnat to 10.11.0.2:80
                            }
                        }

                        """)
                name = "nft ip foreign prerouting"
            }
            try await host.addTasks("--local")
            let refused = try await host.meshctl(["publish", "1080:80", "nginx"])
            #expect(refused.status == 65, "\(refused)")
            #expect(refused.error.contains("1080/tcp is taken: \(name)"), "\(refused)")
            #expect(refused.error.contains("10.11.0.2:80"), "\(refused)")
            // Another one is free.
            try await host.meshctl("publish", "1081:80", "nginx")
            let answers = try await host.client.ask(.tcp, host.clientLink.near4, 1081, times: 2)
            #expect(answers == ["task1 10.1.0.2 80": 1, "task2 10.1.0.2 80": 1])
            // The address that it translates is one of several, which is why it can be forced.
            #expect(try await host.meshctl(["publish", "1080:80", "nginx", "--force"]).status == 0)
        }
    }
}
