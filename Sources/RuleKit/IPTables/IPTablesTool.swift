import IPVSKit
import Netlink
import Subprocess
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// The programs iptables-save and iptables-restore of a variant, for one family, in a namespace.
struct IPTablesTool {
    let family: AddressFamily
    let variant: IPTablesVariant
    /// Nil for the namespace of the process.
    let namespace: NamespaceHandle?

    /// What it is called in messages, whichever variant it is.
    var name: String { Self.name(family) }

    static func name(_ family: AddressFamily) -> String { family == .ipv4 ? "iptables" : "ip6tables" }

    func save() async throws(RuleError) -> SavedTables { SavedTables(try await text()) }

    func text() async throws(RuleError) -> String {
        try await Self.run("\(name)\(variant.infix)-save", [], in: namespace, operation: "read the rules of \(name)")
    }

    func restore(_ document: String) async throws(RuleError) {
        guard !document.isEmpty else { return }
        // Another program may hold the lock of legacy iptables: wait, but not for ever.
        _ = try await Self.run(
            "\(name)\(variant.infix)-restore", ["--noflush", "--wait", "10"], input: document, in: namespace,
            operation: "write the rules of \(name)")
    }

    static func run(
        _ program: String, _ arguments: [String], input: String = "", in namespace: NamespaceHandle?, operation: String
    ) async throws(RuleError) -> String {
        var command = [program] + arguments
        if let namespace {
            // By our descriptor: a namespace need not have a name, nor keep it.
            command = ["nsenter", "--net=/proc/\(getpid())/fd/\(namespace.descriptor.rawValue)", "--"] + command
        }
        let status: TerminationStatus
        let output: String
        let error: String
        do {
            let result = try await Subprocess.run(
                .name(command[0]), arguments: Arguments(Array(command.dropFirst())), input: .string(input),
                output: .string(limit: 64 << 20), error: .string(limit: 1 << 20))
            status = result.terminationStatus
            output = result.standardOutput
            error = result.standardError
        } catch let failure as SubprocessError where failure.code == .executableNotFound {
            throw missing(command[0], operation)
        } catch let failure {
            throw RuleError(code: .refused, operation: operation, reason: "\(program): \(failure)")
        }
        withExtendedLifetime(namespace) {}
        guard status.isSuccess else {
            if error.hasPrefix("nsenter: failed to execute") { throw missing(program, operation) }
            throw refusal(program, error, input: input, operation: operation)
        }
        return output
    }

    private static func missing(_ program: String, _ operation: String) -> RuleError {
        let package = program == "nsenter" ? "util-linux" : "iptables"
        return RuleError(
            code: .toolMissing, operation: operation, reason: "\(program) is not in PATH",
            hint: "install the package \(package), and see that PATH holds /usr/sbin")
    }

    static func refusal(_ program: String, _ error: String, input: String, operation: String) -> RuleError {
        // The nft variant warns before it fails; what counts comes last.
        let lines = error.split(separator: "\n").map(String.init)
            .filter { !$0.hasPrefix("Try `") && !$0.hasPrefix("Error occurred") && !$0.hasPrefix("Perhaps") }
        let reason =
            (lines.isEmpty ? "\(program) failed without a word" : lines.joined(separator: " "))
            + (place(error, in: input).map { " (\($0))" } ?? "")
        if error.contains("Permission denied") || error.contains("Operation not permitted") {
            return RuleError(
                code: .notPermitted, operation: operation, reason: reason,
                hint: "it takes CAP_NET_ADMIN and CAP_NET_RAW: run it as root")
        }
        let missing = [
            "does not exist", "No chain/target/match", "missing kernel module", "No such file or directory",
            "Could not fetch rule set generation id", "not supported", "Operation not supported",
        ]
        if missing.contains(where: error.contains) || tableMessages.contains(where: error.contains) {
            return RuleError(
                code: .kernelLacksSupport, operation: operation, reason: reason,
                hint: "the kernel needs iptables with conntrack, nat and the matches addrtype, set and ipvs "
                    + "(modules xt_addrtype, xt_set, xt_ipvs, xt_conntrack, xt_MASQUERADE)")
        }
        return RuleError(code: .refused, operation: operation, reason: reason)
    }

    /// What stands in the line that a program says it stumbled at: `line 7 failed`, `line: 7`.
    private static func place(_ error: String, in input: String) -> String? {
        guard let number = error.matches(of: /line:? ?([0-9]+)/).last.flatMap({ Int($0.1) }) else { return nil }
        let lines = input.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.indices.contains(number - 1) else { return nil }
        let table = lines[..<number].last { $0.hasPrefix("*") }.map { "table \($0.dropFirst())" } ?? ""
        return lines[number - 1] == "COMMIT" ? table : "\(table): \(lines[number - 1])"
    }

    private static let tableMessages = [
        // legacy
        "initialize iptables table", "initialize ip6tables table", "unable to initialize table",
        // nft
        "Could not fetch rule set generation id", "TABLE_ADD failed", "CHAIN_ADD failed",
    ]

    /// Whether the kernel lacks the tables themselves, not just what a rule takes: then the other variant may work.
    static func lacksTables(_ error: RuleError) -> Bool {
        error.code == .kernelLacksSupport && tableMessages.contains(where: error.reason.contains)
    }
}
