import CNFTables
import IPVSKit

/// libnftables, for what is written once: tables, chains, rules, sets. It reads much before it writes, other tables' sets
/// among it, so elements go another way (``NFTablesElements``).
///
/// Works in the namespace of the calling thread.
enum NFTablesLibrary {
    static func run(_ commands: String, operation: String) throws(RuleError) -> String {
        try run(commands, isCheck: false, operation: operation)
    }

    /// Has the kernel look at commands, and do none of them.
    static func check(_ commands: String) throws(RuleError) {
        _ = try run(commands, isCheck: true, operation: "check the nftables rules")
    }

    private static func run(_ commands: String, isCheck: Bool, operation: String) throws(RuleError) -> String {
        let result = CNFTables_run(commands, isCheck)
        defer { CNFTables_free(result) }
        if result.succeeded { return String(cString: result.output) }
        throw refusal(String(cString: result.error), operation: operation)
    }

    /// Our table; nil where there is none.
    static func listing() throws(RuleError) -> NFTablesListing? {
        do throws(RuleError) {
            return NFTablesListing(try run("list table \(NFTablesSkeleton.table)", operation: "read the nftables rules"))
        } catch {
            guard error.code == .refused, error.reason.contains("No such file or directory") else { throw error }
            return nil
        }
    }

    private static func refusal(_ text: String, operation: String) -> RuleError {
        // A message, the command it is about, and a line of circumflexes below it; the first says it.
        let reason = text.split(separator: "\n").first.map { $0.drop(while: { $0 == " " }) }.map(String.init)
        let lacking = ["Operation not supported", "Protocol not supported", "Address family not supported"]
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
