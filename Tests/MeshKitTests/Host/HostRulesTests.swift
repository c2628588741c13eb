import SystemPackage
import TestSupport
import Testing

@testable import MeshKit

@Suite struct HostRulesTests {
    /// A tool that is missing, one that fails with half a text, and one that is what it should be.
    @Test func aToolThatIsMissingOrFailsIsNoError() async throws {
        try await TemporaryDirectory.with { directory in
            try await tool("ip6tables-save", "echo '*filter'; exit 4", in: directory)
            try await tool("nft", #"echo "{} $*""#, in: directory)
            let rules = await HostRules.read(path: directory.string)
            #expect(rules == HostRules(nft: "{} -j list ruleset\n"))
        }
    }

    @Test func eachToolIsAsked() async throws {
        try await TemporaryDirectory.with { directory in
            for name in ["iptables-save", "ip6tables-save", "nft"] {
                try await tool(name, "echo \(name)", in: directory)
            }
            let rules = await HostRules.read(path: directory.string)
            #expect(rules == HostRules(iptables: "iptables-save\n", ip6tables: "ip6tables-save\n", nft: "nft\n"))
        }
    }

    private func tool(_ name: String, _ script: String, in directory: FilePath) async throws {
        let path = directory.appending(name)
        try path.write("#!/bin/sh\n\(script)\n")
        try await Shell.check("chmod", "+x", path.string)
    }
}
