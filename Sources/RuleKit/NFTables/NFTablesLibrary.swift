import CNFTables
import IPVSKit
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

/// Calls libnftables, for objects that are written once: tables, chains, rules and sets. It reads much before it
/// writes, including the sets of other tables, so elements are written in another way (``NFTablesElements``).
///
/// Works in the namespace of the calling thread.
enum NFTablesLibrary {
    static func run(
        _ commands: String, asJSON: Bool = false, operation: String
    ) throws(RuleError) -> String {
        try run(commands, isCheck: false, asJSON: asJSON, operation: operation)
    }

    /// Makes the kernel check commands without carrying them out.
    static func check(_ commands: String) throws(RuleError) {
        _ = try run(commands, isCheck: true, operation: "check the nftables rules")
    }

    private static func run(
        _ commands: String, isCheck: Bool, asJSON: Bool = false, operation: String
    ) throws(RuleError) -> String {
        let result = CNFTables_run(commands, isCheck, asJSON)
        defer { CNFTables_free(result) }
        if result.succeeded { return String(cString: result.output) }
        if result.error_number != 0 {
            throw RuleError(
                code: result.error_number == EPROTONOSUPPORT ? .kernelLacksSupport : .refused, operation: operation,
                reason: "\(String(cString: result.error)): \(Errno(rawValue: result.error_number))",
                hint: result.error_number == EPROTONOSUPPORT ? kernelHint : nil)
        }
        throw refusal(String(cString: result.error), operation: operation)
    }

    /// Lists our table; nil if there is none.
    ///
    /// The whole family is listed: when libnftables 1.0.6 lists one table, it reads all elements of the table's sets,
    /// even if it does not print them. The rules of other tables are therefore read, too, but only the names of their
    /// sets.
    static func listing() throws(RuleError) -> NFTablesListing? {
        let text = try run("list ruleset inet", operation: "read the nftables rules")
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let start = lines.firstIndex(where: { $0.hasPrefix("table \(OwnRules.table) {") }) else {
            return nil
        }
        return NFTablesListing(lines[start...].prefix { $0 != "}" }.joined(separator: "\n"))
    }

    private static func refusal(_ text: String, operation: String) -> RuleError {
        // The text consists of `<cmdline>:12:3-20: Error: Could not process rule: …`, the line that the error is about,
        // and circumflexes below it.
        let lines = text.split(separator: "\n").map { line in
            String(line.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
        }
        let place = lines.count > 1 && !lines[1].contains("Error: ") ? " (\(lines[1]))" : ""
        let reason = lines.first.map { ($0.split(separator: "Error: ").last.map(String.init) ?? $0) + place }
        let code = ToolMessages.code(of: text, from: .libnftables)
        let hint: String? =
            switch code {
            case .notPermitted: "this needs CAP_NET_ADMIN: run the program as root"
            case .kernelLacksSupport: kernelHint
            case .refused, .toolMissing, .deadlineExceeded, .cancelled: nil
            }
        return RuleError(
            code: code, operation: operation, reason: reason ?? "libnftables gave no reason", hint: hint)
    }

    /// What the kernel needs.
    static let kernelHint =
        "the kernel needs nf_tables with the family inet (modules nf_tables, nft_ct, nft_nat, nft_masq, nft_fib_inet)"
}
