import IPVSKit
import Subprocess
import SystemPackage

/// The programs iptables-save and iptables-restore, for one family.
struct IPTablesTool {
    let family: AddressFamily

    var name: String { family == .ipv4 ? "iptables" : "ip6tables" }

    func save() async throws(RuleError) -> SavedTables {
        SavedTables(try await run("\(name)-save", [], operation: "read the rules of \(name)"))
    }

    func restore(_ document: String) async throws(RuleError) {
        guard !document.isEmpty else { return }
        // Another program may hold the lock of legacy iptables: wait, but not for ever.
        _ = try await run(
            "\(name)-restore", ["--noflush", "--wait", "10"], input: document, operation: "write the rules of \(name)")
    }

    private func run(
        _ program: String, _ arguments: [String], input: String = "", operation: String
    ) async throws(RuleError) -> String {
        let status: TerminationStatus
        let output: String
        let error: String
        do {
            let result = try await Subprocess.run(
                .name(program), arguments: Arguments(arguments), input: .string(input),
                output: .string(limit: 64 << 20), error: .string(limit: 1 << 20))
            status = result.terminationStatus
            output = result.standardOutput
            error = result.standardError
        } catch let failure as SubprocessError where failure.code == .executableNotFound {
            throw RuleError(
                code: .toolMissing, operation: operation, reason: "\(program) is not in PATH",
                hint: "install the package iptables, and see that PATH holds /usr/sbin")
        } catch let failure {
            throw RuleError(code: .refused, operation: operation, reason: "\(program): \(failure)")
        }
        guard status.isSuccess else { throw refusal(program, error, operation: operation) }
        return output
    }

    private func refusal(_ program: String, _ error: String, operation: String) -> RuleError {
        // The nft variant warns before it fails; what counts comes last.
        let lines = error.split(separator: "\n").map(String.init)
            .filter { !$0.hasPrefix("Try `") && !$0.hasPrefix("Error occurred") && !$0.hasPrefix("Perhaps") }
        let reason = lines.isEmpty ? "\(program) failed without a word" : lines.joined(separator: " ")
        if error.contains("Permission denied") || error.contains("Operation not permitted") {
            return RuleError(
                code: .notPermitted, operation: operation, reason: reason,
                hint: "it takes CAP_NET_ADMIN and CAP_NET_RAW: run it as root")
        }
        let missing = [
            "does not exist", "No chain/target/match", "missing kernel module", "No such file or directory",
            "Could not fetch rule set generation id", "not supported", "Operation not supported",
        ]
        if missing.contains(where: error.contains) {
            return RuleError(
                code: .kernelLacksSupport, operation: operation, reason: reason,
                hint: "the kernel needs iptables with conntrack, nat and the matches addrtype, set and ipvs "
                    + "(modules xt_addrtype, xt_set, xt_ipvs, xt_conntrack, xt_MASQUERADE)")
        }
        return RuleError(code: .refused, operation: operation, reason: reason)
    }
}
