import CNFTables
import IPVSKit
import Netlink
import SystemPackage

#if canImport(Glibc)
    import Glibc
#endif

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
        if result.error_number != 0 {
            throw RuleError(
                code: result.error_number == EPROTONOSUPPORT ? .kernelLacksSupport : .refused, operation: operation,
                reason: "\(String(cString: result.error)): \(Errno(rawValue: result.error_number))",
                hint: result.error_number == EPROTONOSUPPORT ? kernelHint : nil)
        }
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
        let code = isWithoutTables ? .kernelLacksSupport : ToolMessages.code(of: text, from: .libnftables)
        let hint: String? =
            switch code {
            case .notPermitted: "it takes CAP_NET_ADMIN: run it as root"
            case .kernelLacksSupport: kernelHint
            case .refused, .toolMissing, .deadlineExceeded, .cancelled: nil
            }
        return RuleError(
            code: code, operation: operation, reason: reason ?? "libnftables gave no reason", hint: hint)
    }

    private static let kernelHint =
        "the kernel needs nf_tables with the family inet (modules nf_tables, nft_ct, nft_nat, nft_masq, nft_fib_inet), or "
        + "say --rules iptables"

    /// Whether the kernel has no nf_tables, and cannot load it: it is asked for the number of its ruleset, which it has
    /// whatever it holds. The library says of that what it happens to stumble at.
    private static var isWithoutTables: Bool {
        do throws(Errno) {
            var socket = try NetfilterSocket()
            try socket.ask(10 << 8 | UInt16(truncatingIfNeeded: NFT_MSG_GETGEN.rawValue), family: 0)
            return false
        } catch {
            return error == .invalidArgument || error == .protocolNotSupported
        }
    }
}
