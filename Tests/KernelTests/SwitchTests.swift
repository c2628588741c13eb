import IPVSKit
import MeshKit
import Netlink
import RuleKit
import SystemPackage
import TestSupport
import Testing

extension KernelTests {
    /// What carries the rules is changed under way.
    @Suite(.enabled(if: RuleTool.tested.count > 1, "one kind of rules is all that this kernel takes"))
    struct SwitchTests {
        @Test func theOldRulesGoOnceTheNewAreUp() async throws {
            try await MeshHost.with(rules: .iptables) { host in
                try await host.startServers()
                try await host.addTasks("--local")
                try await host.publishSome()
                let seen = Locked((answers: 0, failures: [String]()))
                let isOver = Locked(false)
                let ways: [(TestNamespace, IPAddress)] = [
                    (host.client, host.clientLink.near4), (host.client, host.clientLink.near6),
                    (host.node, "127.0.0.1"),
                ]
                async let traffic: Void = {
                    while !isOver.withLock({ $0 }) {
                        for (place, address) in ways {
                            let answer = try await place.get(address, port: 1080, count: 1)[0]
                            seen.withLock {
                                $0.answers += 1
                                if !answer.hasPrefix("task") { $0.failures.append("\(address): \(answer)") }
                            }
                        }
                    }
                }()
                defer { isOver.withLock { $0 = true } }

                for (tool, other) in [(RuleTool.nftables, RuleTool.iptables), (.iptables, .nftables)] {
                    let plan = try await host.meshctl(["plan", "--rules", tool.rawValue])
                    #expect(plan.status == 2, "\(plan)")
                    #expect(plan.output.contains("\(other): remove the mesh's rules"), "\(plan)")
                    let before = seen.withLock { $0.answers }
                    try await host.meshctl("reconcile", "--rules", tool.rawValue)
                    #expect(seen.withLock { $0.answers } > before, "there was no traffic meanwhile")

                    // From now on it is what is in use, without being said each time.
                    let now = try await host.meshctl(["plan"], environment: ["MESHCTL_RULES": "auto"])
                    #expect(now.status == 0, "\(now)")
                    for place in [host.node, try host.node.helper()] {
                        #expect(try await place.rules(of: tool) != "", "\(place.name)")
                        #expect(try await place.rules(of: other) == "", "\(place.name)")
                    }
                }
                isOver.withLock { $0 = true }
                try await traffic
                let (answers, failures) = seen.withLock { $0 }
                print("\(answers) connections while the rules were changed twice, \(failures.count) failed")
                #expect(failures == [])
            }
        }

        /// Whatever point a change of tools dies at, the next pass finds what the other one has left.
        @Test func aChangeThatIsKilledIsFinishedByTheNext() async throws {
            try await MeshHost.with(rules: .nftables) { host in
                try await host.addTasks("--local")
                try await host.meshctl("publish", "1080:80", "nginx")
                let whole = try await ContinuousClock().measure {
                    try await host.meshctl("reconcile", "--rules", "iptables")
                }
                var generator = SeededGenerator.announced()
                for wanted in [RuleTool.nftables, .iptables, .nftables, .iptables] {
                    let delay = Double.random(in: 0.2...1, using: &generator) * (whole / .seconds(1))
                    _ = try await host.node.run(
                        [
                            "timeout", "-s", "KILL", "\(delay)", try BuiltProducts.path("meshctl"), "reconcile",
                            "--rules", wanted.rawValue,
                        ], environment: ["MESHCTL_STATE_DIR": host.stateDirectory.string])
                    let auto = ["MESHCTL_RULES": "auto"]
                    #expect(try await host.meshctl(["reconcile"], environment: auto).status == 0)
                    #expect(try await host.meshctl(["plan"], environment: auto).status == 0)
                    var used: [RuleTool] = []
                    for tool in RuleTool.allCases where try await host.node.rules(of: tool) != "" { used.append(tool) }
                    #expect(used.count == 1, "killed after \(delay) s on the way to \(wanted): \(used)")
                }
                #expect(try await host.meshctl(["reset"], environment: ["MESHCTL_RULES": "auto"]).status == 0)
                for tool in RuleTool.allCases { #expect(try await host.node.rules(of: tool) == "") }
            }
        }
    }
}

extension TestNamespace {
    /// What is there of ours by a tool.
    fileprivate func rules(of tool: RuleTool) async throws -> String {
        switch tool {
        case .nftables: try await check(["nft", "list", "tables"]).filteringLines { $0 == "table inet meshctl" }
        case .iptables:
            try await check(["iptables-save"]).filteringLines { $0.contains("MESH") }
                + check(["ip6tables-save"]).filteringLines { $0.contains("MESH") }
                + check(["ipset", "list", "-name"]).filteringLines { $0.hasPrefix("mesh-") }
        }
    }
}
