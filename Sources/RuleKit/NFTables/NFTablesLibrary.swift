import CNFTables
import IPVSKit

/// libnftables, for what is written once: tables, chains, rules, sets. It reads much before it writes, other tables' sets
/// among it, so elements go another way (``NFTablesElements``).
///
/// Works in the namespace of the calling thread.
enum NFTablesLibrary {
    static func run(
        _ commands: String, asJSON: Bool = false, operation: String
    ) throws(RuleError) -> String {
        try run(commands, isCheck: false, asJSON: asJSON, operation: operation)
    }

    /// Has the kernel look at commands, and do none of them.
    static func check(_ commands: String) throws(RuleError) {
        _ = try run(commands, isCheck: true, operation: "check the nftables rules")
    }

    private static func run(
        _ commands: String, isCheck: Bool, asJSON: Bool = false, operation: String
    ) throws(RuleError) -> String {
        let result = CNFTables_run(commands, isCheck, asJSON)
        defer { CNFTables_free(result) }
        if result.succeeded { return String(cString: result.output) }
        throw refusal(String(cString: result.error), operation: operation)
    }

    /// Our table; nil where there is none.
    ///
    /// By way of the whole family: listing a table alone, libnftables 1.0.6 reads all elements of its sets, even where it
    /// is not to print them. So it reads others' rules, too, but of no set more than its name.
    static func listing() throws(RuleError) -> NFTablesListing? {
        let text = try run("list ruleset inet", operation: "read the nftables rules")
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let start = lines.firstIndex(where: { $0.hasPrefix("table \(OwnRules.table) {") }) else {
            return nil
        }
        return NFTablesListing(lines[start...].prefix { $0 != "}" }.joined(separator: "\n"))
    }

    private static func refusal(_ text: String, operation: String) -> RuleError {
        // `<cmdline>:12:3-20: Error: Could not process rule: …`, the line that it is about, and circumflexes below it.
        let lines = text.split(separator: "\n").map { line in
            String(line.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
        }
        let place = lines.count > 1 && !lines[1].contains("Error: ") ? " (\(lines[1]))" : ""
        let reason = lines.first.map { ($0.split(separator: "Error: ").last.map(String.init) ?? $0) + place }
        // An expression whose module is missing is "no such file". Of what our own commands name, nothing can be.
        let lacking = [
            "Operation not supported", "Protocol not supported", "Address family not supported",
            "No such file or directory",
        ]
        let (code, hint): (RuleError.Code, String?) =
            if text.contains("Operation not permitted") {
                (.notPermitted, "it takes CAP_NET_ADMIN: run it as root")
            } else if lacking.contains(where: text.contains) {
                (
                    .kernelLacksSupport,
                    "the kernel needs nf_tables with the family inet (modules nf_tables, nft_ct, nft_nat, nft_masq, "
                        + "nft_fib_inet), or say --rules iptables"
                )
            } else {
                (.refused, nil)
            }
        return RuleError(
            code: code, operation: operation, reason: reason ?? "libnftables gave no reason", hint: hint)
    }
}
