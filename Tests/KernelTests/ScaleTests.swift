import IPVSKit
import MeshKit
import RuleKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests {
    /// Thousands of published ports.
    @Suite struct ScaleTests {
        @Test(arguments: RuleTool.tested) func publishedPortsCostNoRule(tool: RuleTool) async throws {
            try await MeshHost.with(rules: tool) { host in
                try await host.addTasks()
                try await host.meshctl("publish", "1000:80", "nginx")
                let withOne = try await host.ruleCount()
                try #require(withOne > 10)
                try await host.publish(4999, from: 1001)
                #expect(try await host.meshctl(["plan"]).status == 0)

                #expect(try await host.ruleCount() == withOne)
                #expect(try await host.markCount() == 5000)
                let services = try await host.node.check("ipvsadm", "-Sn").split(separator: "\n")
                #expect(services.count { $0.hasPrefix("-A") } == 10000, "one for each family")
            }
        }

        /// As the kernel has no map of ranges for more than one protocol, each has one.
        @Test(.enabled(if: RuleTool.tested.contains(.nftables), "this kernel has no nftables of the family inet"))
        func aRangeIsOneElement() async throws {
            try await MeshHost.with(rules: .nftables) { host in
                try await host.addTasks()
                try await host.meshctl("publish", "20000-29999:20000-29999/udp", "nginx")
                let map = try await host.node.check("nft", "list", "map", "inet", "meshctl", "ranges_udp")
                #expect(map.contains("elements = { 20000-29999 : 0x00000100 }"), "\(map)")
                let marks = try await host.node.check("nft", "list", "map", "inet", "meshctl", "marks")
                #expect(!marks.contains("elements"), "\(marks)")
            }
        }

        /// A write must not read what others have: libnftables does, for every set with intervals. On two nodes in turn, so
        /// that what else goes on slows both down alike.
        @Test(.enabled(if: RuleTool.tested.contains(.nftables), "this kernel has no nftables of the family inet"))
        func aWriteCostsTheSameBesideALargeForeignSet() async throws {
            try await MeshHost.with(rules: .nftables) { alone in
                try await MeshHost.with(rules: .nftables) { beside in
                    for host in [alone, beside] {
                        try await host.addTasks()
                        try await host.meshctl("publish", "1080:80", "nginx")
                    }
                    let elements = (0..<20000).map { "10.\(100 + $0 >> 14).\($0 >> 6 & 255).\(($0 & 63) << 2)/31" }
                    try await beside.node.check(
                        "nft", "-f", "-",
                        input: """
                            table inet others {
                                set many { type ipv4_addr; flags interval; }
                            }
                            add element inet others many { \(elements.joined(separator: ", ")) }

                            """)
                    var least: [Duration] = [.seconds(60), .seconds(60)]
                    for port: UInt16 in 2000..<2061 {
                        for (index, host) in [alone, beside].enumerated() {
                            least[index] = min(least[index], try await host.timeOfOneMorePort(port))
                        }
                    }
                    let ratio = least[1] / least[0]
                    print(
                        "one more port: \(least[0]) alone, \(least[1]) beside 20,000 foreign elements, \(ratio) times")
                    #expect(ratio < 1.5)
                }
            }
        }
    }
}

extension MeshHost {
    /// Publishes ports in one pass: as many commands would only take longer.
    func publish(_ count: Int, from first: UInt16) async throws {
        let marks = try LedgerFile(directory: stateDirectory).load()?[.node].marks ?? [:]
        try await configure { spec in
            // Past the marks that there are, and clear of others' bits.
            let numbers = (0x100...UInt32(0x3FFF)).compactMap(FirewallMark.init)
                .filter { marks[$0] == nil && !spec.marks.contains($0) }
            for (offset, mark) in zip(0..<UInt16(count), numbers) {
                spec.services["nginx"]?.ports.append(
                    PublishedPort(listening: PortBinding(first + offset, .tcp), target: 80, mark: mark))
            }
        }
    }

    fileprivate func ruleCount() async throws -> Int {
        switch tool {
        case .nftables:
            let listing = try await node.check("nft", "-a", "list", "table", "inet", "meshctl")
            return listing.split(separator: "\n").count {
                $0.hasPrefix("\t\t") && $0.contains(" # handle ") && !$0.contains("{ # handle")
            }
        case .iptables:
            let rules = try await node.check("iptables-save") + (try await node.check("ip6tables-save"))
            return rules.split(separator: "\n").count { $0.hasPrefix("-A") }
        }
    }

    fileprivate func markCount() async throws -> Int {
        switch tool {
        case .nftables:
            try await node.check("nft", "list", "map", "inet", "meshctl", "marks").split(separator: "tcp . ").count - 1
        case .iptables:
            try await node.check("ipset", "save", "mesh-mark-tcp").split(separator: "\n").count - 1
        }
    }

    /// How long the backend takes for a write of one port. What else goes on in the kernel, as namespaces that other tests
    /// left, can only add to it.
    fileprivate func timeOfOneMorePort(_ port: UInt16) async throws -> Duration {
        let backend = NFTablesBackend(in: .named(node.name))
        var rules = RuleSet()
        rules.ports[PortBinding(port, .tcp)] = PortRule(mark: FirewallMark(rawValue: UInt32(port))!)
        let changes = backend.render(rules).changes(from: ObservedRules(skeleton: .intact)).additions
        return try await ContinuousClock().measure { try await backend.apply(changes) }
    }
}
