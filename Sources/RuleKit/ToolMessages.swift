/// What the messages of programs and libraries mean that say it in words alone, in English: programs are run with
/// `LC_ALL=C`.
///
/// All the words that must be known stand here, and in `ToolMessagesTests` what each version prints that was tried.
enum ToolMessages {
    enum Tool: CaseIterable {
        /// iptables-save and iptables-restore, and their twins for IPv6, of the variant that writes the kernel's old tables.
        case iptablesLegacy
        /// The same of the variant that writes nftables.
        case iptablesNFT
        case libnftables
        case libipset
        case nsenter
    }

    private enum Meaning {
        /// The kernel has no tables of the kind, so that another tool may work.
        case noTables
        /// The kernel, or the tool, lacks what a rule takes: a match, target, expression or type of set.
        case lacksSupport
        case notPermitted
        /// A program that the tool was to run is not there.
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
            // An expression whose module is missing is "no such file". Of what our own commands name, nothing can be.
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

    /// What a message of a tool that failed comes to.
    static func code(of text: String, from tool: Tool) -> RuleError.Code {
        if says(text, .programMissing, tool) { return .toolMissing }
        if says(text, .notPermitted, tool) { return .notPermitted }
        if says(text, .noTables, tool) || says(text, .lacksSupport, tool) { return .kernelLacksSupport }
        return .refused
    }

    /// Whether the kernel lacks the tables themselves, and not just what a rule takes.
    static func saysThatThereAreNoTables(_ text: String, from tool: Tool) -> Bool {
        says(text, .noTables, tool)
    }
}
