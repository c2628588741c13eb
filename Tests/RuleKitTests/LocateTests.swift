import IPVSKit
import Netlink
import SystemPackage
import TestSupport
import Testing

@testable import RuleKit

#if canImport(Glibc)
    import Glibc
#endif

/// The choice between the two variants of iptables. Each test is in a process of its own, whose PATH holds nothing but
/// programs of the test's.
@Suite(.timeLimit(.minutes(2))) struct LocateTests {
    @Test func theErrorOfTheOnlyVariantIsReported() async {
        await #expect(processExitsWith: .exitCode(42)) {
            let result = await located(["iptables-nft-save": refusing, "iptables-nft-restore": silent])
            exit(result == "notPermitted" ? 42 : 1)
        }
    }

    @Test func aVariantThatTheKernelLacksIsNamedAsTheReason() async {
        await #expect(processExitsWith: .exitCode(42)) {
            let result = await located(["iptables-nft-save": lacking, "iptables-nft-restore": silent])
            exit(result == "kernelLacksSupport" ? 42 : 1)
        }
    }

    /// The other variant may hold rules of ours, so that none may be written into the host's own.
    @Test func anotherVariantThatCannotBeReadIsNoEmptyOne() async {
        await #expect(processExitsWith: .exitCode(42)) {
            let result = await located(besideEmptyLegacy(["iptables-nft-save": refusing]))
            // Where the kernel cannot have tables of nft, none are read.
            let mayHaveTables = IPTablesVariant(kind: .nft, infix: "-nft").mayHaveTables
            exit(result == (mayHaveTables ? "notPermitted" : "legacy") ? 42 : 1)
        }
    }

    @Test func anotherVariantThatTheKernelLacksDoesNotMatter() async {
        await #expect(processExitsWith: .exitCode(42)) {
            let result = await located(besideEmptyLegacy(["iptables-nft-save": lacking]))
            exit(result == "legacy" ? 42 : 1)
        }
    }

    /// Rules that cannot be read may use a set of ours, which is not taken from them.
    @Test func whoUsesASetIsNotKnownWhereRulesCannotBeRead() async {
        await #expect(processExitsWith: .exitCode(42)) {
            let result = await with(besideEmptyLegacy(["iptables-save": refusing])) { await users() }
            exit(result == "notPermitted" ? 42 : 1)
        }
    }
}

private let silent = "exit 0"
private let refusing = "echo 'Could not fetch rule set generation id: Permission denied (you must be root)' >&2; exit 4"
private let lacking = "echo 'Could not fetch rule set generation id: Invalid argument' >&2; exit 1"

/// The host's own iptables is the legacy variant, without any rules.
private func besideEmptyLegacy(_ others: [String: String]) -> [String: String] {
    let programs = [
        "iptables-restore": silent, "iptables-save": silent, "iptables": "echo 'iptables v1.8.9 (legacy)'",
        "iptables-nft-restore": silent,
    ]
    return programs.merging(others) { $1 }
}

/// The kind of the variant that is chosen, or the code of the error, where these scripts are all that PATH leads to.
private func located(_ scripts: [String: String]) async -> String? { await with(scripts) { await located() } }

/// What comes of it where these scripts are all that PATH leads to.
private func with(_ scripts: [String: String], _ body: () async -> String) async -> String? {
    try? await TemporaryDirectory.with { folder in
        for (name, script) in scripts {
            let program = folder.appending(name)
            try program.write("#!/bin/sh\n\(script)\n")
            guard chmod(program.string, 0o755) == 0 else { throw Errno(rawValue: errno) }
        }
        setenv("PATH", folder.string, 1)
        return await body()
    }
}

/// The users of a set in words, or the code of the error with which they cannot be told.
private func users() async -> String {
    let backend = IPTablesBackend(in: .current, families: [.ipv4])
    do throws(RuleError) {
        return "\(try await backend.users(of: ["set"], IPSetLibrary(namespace: nil)))"
    } catch {
        return "\(error.code)"
    }
}

private func located() async -> String {
    let backend = IPTablesBackend(in: .current, families: [.ipv4])
    do throws(RuleError) {
        let found = try await backend.locate([.ipv4], in: nil)
        return "\(found.variant.kind)"
    } catch {
        print("\(error)")
        return "\(error.code)"
    }
}
