import IPVSKit
import SystemPackage
import TestSupport
import Testing

@testable import RuleKit

#if canImport(Glibc)
    import Glibc
#endif

extension KernelTests {
    /// A change that the kernel refuses leaves the rules as they were.
    @Suite struct IPTablesRefusalTests {
        private func refusal(_ host: RuleHost, _ rules: RuleSet) async throws -> RuleError? {
            let rendered = host.backend.render(rules)
            do throws(RuleError) {
                try await host.backend.apply(rendered.changes(from: ObservedRules()).additions)
                return nil
            } catch {
                return error
            }
        }

        @Test(arguments: [
            "hash:net", "hash:ip,mark timeout 9", "hash:ip,mark family inet6", "list:set", "bitmap:port range 1-9",
        ])
        func aSetOfAnotherTypeIsReplaced(definition: String) async throws {
            try await RuleHost.with { host in
                try await host.addForeignThings()
                let before = try await host.kernelText()
                let creation = ["ipset", "create", "mesh-snat4"] + definition.split(separator: " ").map(String.init)
                // The set of the wrong type is there alone, and together with our rules.
                for isUp in [false, true] {
                    if isUp {
                        for tool in ["iptables", "ip6tables"] {
                            try await host.namespace.check(tool, "-t", "nat", "-F", "MESH-SNAT")
                        }
                        try await host.namespace.check("ipset", "destroy", "mesh-snat4")
                    }
                    try await host.namespace.check(creation)
                    guard
                        case .damaged(let faults) = try await host.backend.read(expecting: RuleSet.everything.role)
                            .skeleton
                    else {
                        Issue.record("unseen: \(definition)")
                        return
                    }
                    #expect(
                        faults.contains { $0.description.hasPrefix("ipset: set mesh-snat4 is \(creation[3])") },
                        "\(faults)")
                    try await host.reconcile(.everything)
                    #expect(try await host.changes(to: .everything).isEmpty)
                }
                try await host.reconcile(RuleSet())
                // Such a set does not keep our rules and sets from being removed either.
                try await host.namespace.check(creation)
                try await host.reconcile(RuleSet())
                let after = try await host.kernelText()
                #expect(after == before)
            }
        }

        /// The name is too long for an interface, so that iptables refuses the rule.
        @Test func aRuleThatIsRefusedTakesTheOthersAndTheSetsWithIt() async throws {
            try await RuleHost.with { host in
                try await host.addForeignThings()
                let before = try await host.kernelText()
                var rules = RuleSet.everything
                rules.role = .balancer(detour: Detour(to: ["10.99.0.2"], by: "longer-than-any-interface"))
                let error = try #require(try await refusal(host, rules))
                #expect(error.description.contains("cannot write the rules of iptables"), "\(error)")
                let after = try await host.kernelText()
                #expect(after == before)
            }
        }

        /// The previous rules stay in force if the new ones are refused.
        @Test func aRuleThatIsRefusedLeavesThoseThatAreThere() async throws {
            try await RuleHost.with { host in
                try await host.reconcile(.everything)
                let before = try await host.kernelText()
                var rules = RuleSet.everything
                rules.role = .balancer(detour: Detour(to: ["10.99.0.2"], by: "longer-than-any-interface"))
                await #expect(throws: RuleError.self) { try await host.reconcile(rules) }
                let after = try await host.kernelText()
                #expect(after == before)
            }
        }

        /// A kernel that cannot load modules looks like one without them.
        @Test(
            arguments: [
                ("ip_set_hash_netnet", "run ipset create mesh-hairpin4 hash:net,net"),
                ("xt_ipvs", "Extension ipvs revision 0 not supported"),
            ])
        func aModuleThatIsMissing(module: String, part: String) async throws {
            try await RuleHost.with { host in
                try await host.addForeignThings()
                // All other modules are loaded, so that only this one is missing.
                try await host.reconcile(.everything)
                try await host.reconcile(RuleSet())
                let before = try await host.kernelText()
                try await Self.withoutLoading(module) {
                    let error = try #require(try await refusal(host, .everything))
                    #expect(error.code == .kernelLacksSupport, "\(error)")
                    #expect("\(error)".contains(part), "\(error)")
                    let after = try await host.kernelText()
                    #expect(after == before)
                }
                try await host.reconcile(.everything)
                #expect(try await host.changes(to: .everything).isEmpty)
            }
        }

        private static func withoutLoading(_ module: String, _ body: () async throws -> Void) async throws {
            // Namespaces of other tests disappear with a delay.
            for _ in 0..<50 {
                guard try await Shell.check("lsmod").contains("\n\(module) ") else { break }
                _ = try await Shell.run(["rmmod", module])
                try await Task.sleep(for: .milliseconds(200))
            }
            try #require(try await !Shell.check("lsmod").contains("\n\(module) "), "\(module) is still loaded")
            let path = FilePath("/proc/sys/kernel/modprobe")
            let loader = try path.text()
            try path.write("/bin/false")
            let result: Result<Void, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            try path.write(loader)
            try result.get()
        }

        /// The variant that holds our chains keeps them when the host's `iptables` becomes the other one. A variant
        /// that does not work in this kernel is skipped.
        @Test(arguments: [["legacy", "nft"], ["nft", "legacy"]])
        func theVariantThatHoldsOurChainsIsUsed(variants: [String]) async throws {
            try await RuleHost.with { host in
                var working: [String] = []
                for variant in variants where try await host.chains(of: variant) != nil { working.append(variant) }
                try #require(!working.isEmpty)

                try await Self.withHost(variants[0]) { try await host.reconcile(.everything) }
                for variant in working {
                    #expect(try await host.chains(of: variant) == (variant == working[0] ? 15 : 0), "\(variant)")
                }
                try await Self.withHost(variants[1]) {
                    #expect(try await host.changes(to: .everything).isEmpty)
                    try await host.backend.apply([.uninstall])
                }
                for variant in working { #expect(try await host.chains(of: variant) == 0, "\(variant)") }
            }
        }

        /// Runs the body with `iptables` and similar names leading to one variant.
        private static func withHost(_ variant: String, _ body: () async throws -> Void) async throws {
            try await TemporaryDirectory.with { directory in
                for name in ["iptables", "ip6tables"].flatMap({ [$0, "\($0)-save", "\($0)-restore"] }) {
                    try await Shell.check(
                        "ln", "-s", "/usr/sbin/xtables-\(variant)-multi", directory.appending(name).string)
                }
                let path = getenv("PATH").map { String(cString: $0) } ?? ""
                setenv("PATH", "\(directory):\(path)", 1)
                defer { setenv("PATH", path, 1) }
                try await body()
            }
        }
    }
}

extension RuleHost {
    /// The number of our chains that a variant holds in both families; nil if the variant does not work in this kernel.
    fileprivate func chains(of variant: String) async throws -> Int? {
        var count = 0
        for tool in ["iptables", "ip6tables"] {
            let ran = try await namespace.run(["\(tool)-\(variant)-save"])
            guard ran.status == 0 else { return nil }
            count += ran.output.split(separator: "\n").count { $0.hasPrefix(":MESH-") }
        }
        return count
    }
}
