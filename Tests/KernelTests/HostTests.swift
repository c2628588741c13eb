import IPVSKit
import MeshKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests {
    /// What is said of a host is compared with what its kernel does.
    @Suite struct HostTests {
        private static let iptables = """
            *filter
            :INPUT DROP [0:0]
            :web - [0:0]
            :not-local - [0:0]
            -A INPUT -i lo -j ACCEPT
            -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
            -A INPUT -p icmp -j ACCEPT
            -A INPUT -j not-local
            -A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW -j DROP
            -A INPUT -p tcp -m tcp --dport 1000:1010 -j web
            -A INPUT -p tcp -m tcp --dport 1020 -g web
            -A INPUT -p udp -m udp --dport 1030 -j ACCEPT
            -A INPUT -d 10.1.0.1/32 -p tcp -m tcp --dport 1040 -j ACCEPT
            -A INPUT -d 10.1.0.3/32 -p tcp -m tcp --dport 1041 -j ACCEPT
            -A INPUT -p tcp -m tcp --dport 1020:1050 -j REJECT --reject-with icmp-admin-prohibited
            -A not-local -m addrtype --dst-type LOCAL -j RETURN
            -A not-local -j DROP
            -A web -p tcp -m tcp --dport 1005 -j REJECT --reject-with icmp-admin-prohibited
            -A web -p tcp -m tcp ! --dport 1020 -j ACCEPT
            COMMIT
            """

        @Test func whatTheFirewallIsSaidToDoItDoes() async throws {
            try await MeshHost.with(tasks: 0) { host in
                try await host.node.check("iptables-restore", input: Self.iptables + "\n")
                let firewall = Firewall(try await Self.rules(of: host.node))
                let address = host.clientLink.near4
                var accepted: [UInt16] = []
                for port: UInt16 in [1000, 1005, 1010, 1011, 1020, 1030, 1040, 1041, 1080] {
                    let answer = await firewall.answer(publishing: .tcp, ports: port...port, at: [address])
                    let verdict = try #require(answer).verdict
                    // Nobody listens: what comes through is refused.
                    let seen = try await host.client.get(address, port: port, count: 1)
                    let comment: Comment = "\(port): \(verdict), and the client saw \(seen)"
                    if case .dropped = verdict {
                        #expect(seen != ["Connection refused"], comment)
                    } else {
                        #expect(verdict == .accepted && seen == ["Connection refused"], comment)
                        accepted.append(port)
                    }
                }
                #expect(accepted == [1000, 1010, 1040])
            }
        }

        @Test func theAdviceOpensThePort() async throws {
            try await MeshHost.with(tasks: 0) { host in
                try await host.node.check("iptables-restore", input: Self.iptables + "\n")
                let address = host.clientLink.near4
                func answer() async throws -> Firewall.Answer? {
                    await Firewall(try await Self.rules(of: host.node)).answer(
                        publishing: .tcp, ports: 1041...1050, at: [address])
                }
                let advice = try #require(try await answer()).advice
                #expect(advice == ["iptables -I INPUT -p tcp --dport 1041:1050 -j ACCEPT"])
                for line in advice { try await host.node.check(line.split(separator: " ").map(String.init)) }
                #expect(try await answer() == Firewall.Answer(verdict: .accepted, advice: []))
                for port: UInt16 in [1041, 1050] {
                    #expect(try await host.client.get(address, port: port, count: 1) == ["Connection refused"])
                }
            }
        }

        @Test func aServerAndTheAddressesOfANode() async throws {
            try await MeshHost.with(tasks: 1) { host in
                try await host.startServers(port: 8080)
                let task = host.tasks[0]
                let listeners = try await task.namespace.thread {
                    try Listeners.read(transport: .tcp, ports: 8000...8100)
                }
                #expect(Set(listeners.map(\.address)) == ["0.0.0.0", "::"])
                #expect(listeners.allSatisfy { $0.process?.name == "nginx" && $0.port == 8080 })
                // The master, not a worker of it.
                let pid = try host.topology.directory.appending("task1").appending("pid").text()
                #expect(listeners.allSatisfy { $0.process.map { "\($0.pid)\n" } == pid })
                #expect(
                    try await host.node.thread { try Listeners.read(transport: .tcp, ports: 8000...8100) }.isEmpty)

                let addresses = try await task.namespace.thread { try NodeAddresses.read() }
                #expect(
                    Set(addresses).isSuperset(of: [
                        InterfaceAddress(address: task.link.far4, prefixLength: 24, interface: "eth0"),
                        InterfaceAddress(address: task.link.far6, prefixLength: 64, interface: "eth0"),
                    ]))
            }
        }

        private static func rules(of node: TestNamespace) async throws -> HostRules {
            HostRules(
                iptables: try await node.check("iptables-save"), ip6tables: try await node.check("ip6tables-save"))
        }
    }
}
