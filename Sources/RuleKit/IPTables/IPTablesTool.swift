import IPVSKit
import Netlink
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
    /// How long one run of a program is waited for.
    let deadline: Duration

    /// The name for messages, which is the same for both variants.
    var name: String { Self.name(family) }

    static func name(_ family: AddressFamily) -> String { family == .ipv4 ? "iptables" : "ip6tables" }

    /// The program that lists the tables.
    var saver: String { "\(name)\(variant.infix)-save" }

    func save() async throws(RuleError) -> SavedTables { SavedTables(try await text()) }

    func text() async throws(RuleError) -> String {
        try await Self.run(
            saver, [], in: namespace, deadline: deadline, messages: variant.messages,
            operation: "read the rules of \(name)")
    }

    func restore(_ document: String) async throws(RuleError) {
        guard !document.isEmpty else { return }
        // Another program may hold the lock of legacy iptables. We wait for it, but for 10 seconds at most.
        _ = try await Self.run(
            "\(name)\(variant.infix)-restore", ["--noflush", "--wait", "10"], input: document, in: namespace,
            deadline: deadline, messages: variant.messages, operation: "write the rules of \(name)")
    }

    /// - Parameter messages: the tool whose messages the program prints.
    static func run(
        _ program: String, _ arguments: [String], input: String = "", in namespace: NamespaceHandle?,
        deadline: Duration, messages: ToolMessages.Tool = .iptablesNFT, operation: String
    ) async throws(RuleError) -> String {
        var command = [program] + arguments
        if let namespace {
            // nsenter gets the namespace by our open descriptor, because a namespace may have no name, or lose it
            // meanwhile.
            command = ["nsenter", "--net=/proc/\(getpid())/fd/\(namespace.descriptor.rawValue)", "--"] + command
        }
        let ran = try await HostProgram(command, input: input, keeping: namespace).run(deadline: deadline, operation)
        guard let ran else { throw missing(command[0], operation) }
        guard ran.isSuccess else {
            let error = ran.error
            if ToolMessages.code(of: error, from: .nsenter) == .toolMissing { throw missing(program, operation) }
            throw refusal(program, error, messages, input: input, operation: operation)
        }
        return ran.output
    }

    private static func missing(_ program: String, _ operation: String) -> RuleError {
        let package = program == "nsenter" ? "util-linux" : "iptables"
        return RuleError(
            code: .toolMissing, operation: operation, reason: "\(program) is not in PATH",
            hint: "install the package \(package), and see that PATH holds /usr/sbin")
    }

    static func refusal(
        _ program: String, _ error: String, _ messages: ToolMessages.Tool, input: String, operation: String
    ) -> RuleError {
        // These lines of advice do not belong to the reason.
        let lines = error.split(separator: "\n").map(String.init)
            .filter { !$0.hasPrefix("Try `") && !$0.hasPrefix("Error occurred") && !$0.hasPrefix("Perhaps") }
        let reason =
            (lines.isEmpty ? "\(program) failed without a message" : lines.joined(separator: " "))
            + (place(error, in: input).map { " (\($0))" } ?? "")
        let code = ToolMessages.code(of: error, from: messages)
        let hint: String? =
            switch code {
            case .notPermitted: "this needs CAP_NET_ADMIN and CAP_NET_RAW: run the program as root"
            case .kernelLacksSupport:
                "the kernel needs iptables with conntrack, nat, the matches addrtype, set and ipvs and, for attached "
                    + "tasks, TCPMSS (modules xt_addrtype, xt_set, xt_ipvs, xt_conntrack, xt_MASQUERADE, xt_TCPMSS)"
            case .refused, .toolMissing, .deadlineExceeded, .cancelled: nil
            }
        return RuleError(code: code, operation: operation, reason: reason, hint: hint)
    }

    /// The table and the text of the input line that a message names: `line 7 failed`, `line: 7`.
    private static func place(_ error: String, in input: String) -> String? {
        guard let number = error.matches(of: /line:? ?([0-9]+)/).last.flatMap({ Int($0.1) }) else { return nil }
        let lines = input.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.indices.contains(number - 1) else { return nil }
        let table = lines[..<number].last { $0.hasPrefix("*") }.map { "table \($0.dropFirst())" } ?? ""
        return lines[number - 1] == "COMMIT" ? table : "\(table): \(lines[number - 1])"
    }

    /// Whether the kernel lacks the tables themselves, rather than a feature that a rule uses: then the other variant
    /// may work.
    static func lacksTables(_ error: RuleError) -> Bool {
        error.code == .kernelLacksSupport
            && [.iptablesLegacy, .iptablesNFT].contains {
                ToolMessages.saysThatThereAreNoTables(error.reason, from: $0)
            }
    }
}

extension IPTablesVariant {
    fileprivate var messages: ToolMessages.Tool {
        switch kind {
        case .legacy: .iptablesLegacy
        case .nft: .iptablesNFT
        }
    }
}
