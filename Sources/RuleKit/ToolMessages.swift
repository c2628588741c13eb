/// The meanings of messages from programs and libraries that report errors in English text only. Programs run with
/// `LC_ALL=C`.
///
/// All texts that we match are listed here. `ToolMessagesTests` holds the messages of each version that was tried.
enum ToolMessages {
    enum Tool: CaseIterable {
        /// iptables-save and iptables-restore, and their twins for IPv6, of the variant that writes the kernel's old tables.
        case iptablesLegacy
        /// The same programs of the variant that writes nftables.
        case iptablesNFT
        case libnftables
        case libipset
        case nsenter
    }

    private enum Meaning {
        /// The kernel has no tables of this kind; another tool may work.
        case noTables
        /// The kernel or the tool lacks a match, target, expression or type of set that a rule uses.
        case lacksSupport
        case notPermitted
        /// The program that the tool should start is not installed.
        case programMissing
    }

    private static let iptables: [(words: String, meaning: Meaning)] = [
        ("Permission denied", .notPermitted), ("Operation not permitted", .notPermitted),
        ("does not exist", .lacksSupport), ("No chain/target/match", .lacksSupport),
        ("missing kernel module", .lacksSupport), ("No such file or directory", .lacksSupport),
        ("not supported", .lacksSupport),
    ]

    private static let words: [Tool: [(words: String, meaning: Meaning)]] = [
        .iptablesLegacy: iptables + [
            ("initialize iptables table", .noTables), ("initialize ip6tables table", .noTables),
            ("unable to initialize table", .noTables), ("Cannot initialize: ", .noTables),
        ],
        .iptablesNFT: iptables + [
            ("Could not fetch rule set generation id", .noTables), ("TABLE_ADD failed", .noTables),
            ("CHAIN_ADD failed", .noTables), ("Failed to initialize nft", .noTables),
        ],
        .libnftables: [
            ("Operation not permitted", .notPermitted),
            // The kernel reports "no such file" for an expression whose module is missing. No object that our commands
            // name can be missing, so the message has no other cause.
            ("Operation not supported", .lacksSupport), ("Protocol not supported", .lacksSupport),
            ("Address family not supported", .lacksSupport), ("No such file or directory", .lacksSupport),
        ],
        .libipset: [
            ("Operation not permitted", .notPermitted),
            ("Cannot open session", .lacksSupport), ("Kernel support protocol", .lacksSupport),
            ("Kernel and userspace incompatible", .lacksSupport), ("type not supported", .lacksSupport),
            ("Invalid argument", .lacksSupport),
        ],
        .nsenter: [("nsenter: failed to execute", .programMissing)],
    ]

    private static func says(_ text: String, _ meaning: Meaning, _ tool: Tool) -> Bool {
        words[tool]!.contains { $0.meaning == meaning && text.contains($0.words) }
    }

    /// The error code for the message of a tool that failed.
    static func code(of text: String, from tool: Tool) -> RuleError.Code {
        if says(text, .programMissing, tool) { return .toolMissing }
        if says(text, .notPermitted, tool) { return .notPermitted }
        if says(text, .noTables, tool) || says(text, .lacksSupport, tool) { return .kernelLacksSupport }
        return .refused
    }

    /// Whether the message says that the kernel lacks the tables themselves, rather than a feature that a rule uses.
    static func saysThatThereAreNoTables(_ text: String, from tool: Tool) -> Bool {
        says(text, .noTables, tool)
    }
}
