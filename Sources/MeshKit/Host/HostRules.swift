import IPVSKit
import Subprocess

/// The rules of the host's, as its tools print them, for one network namespace.
///
/// Read once for all that is asked of it: the texts of a large host take a while to parse.
///
/// A text that is nil could not be had: the tool is not there, or fails, as without root. Then nothing is known of
/// what it would have shown.
package struct HostRules: Hashable, Sendable {
    /// What `iptables-save` prints.
    package let iptables: String?
    /// What `ip6tables-save` prints.
    package let ip6tables: String?
    /// What `nft -j list ruleset` prints.
    package let nft: String?
    /// All tables, each once: what the nft variant of iptables shows is left out of nft's.
    let tables: [RuleTable]
    private let knowsNFT: Bool

    package init(iptables: String? = nil, ip6tables: String? = nil, nft: String? = nil) {
        self.iptables = iptables
        self.ip6tables = ip6tables
        self.nft = nft
        var tables: [RuleTable] = []
        var shown: Set<String> = []
        for (text, family) in [(iptables, AddressFamily.ipv4), (ip6tables, .ipv6)] {
            guard let text else { continue }
            tables += IPTablesText.tables(text, family: family)
            shown.formUnion(IPTablesText.tablesOfNFT(text, family: family))
        }
        let ruleset = nft.flatMap { NFTRuleset($0, skipping: shown) }
        self.tables = tables + (ruleset?.tables ?? [])
        knowsNFT = ruleset != nil
    }

    /// Asks each tool, in the namespace of the process.
    ///
    /// - Parameter path: where to look for the tools, instead of in `PATH`.
    package static func read(path: String? = nil) async -> HostRules {
        async let iptables = output("iptables-save", [], path)
        async let ip6tables = output("ip6tables-save", [], path)
        async let nft = output("nft", ["-j", "list", "ruleset"], path)
        return await HostRules(iptables: iptables, ip6tables: ip6tables, nft: nft)
    }

    private static func output(_ program: String, _ arguments: [String], _ path: String?) async -> String? {
        let environment = path.map { Environment.inherit.updating(["PATH": $0]) } ?? .inherit
        let result = try? await Subprocess.run(
            .name(program), arguments: Arguments(arguments), environment: environment, input: .none,
            output: .string(limit: 64 << 20), error: .discarded)
        guard let result, result.terminationStatus.isSuccess else { return nil }
        return result.standardOutput
    }

    /// Whether anything is known of the rules that packets of a family meet.
    func areKnown(for family: AddressFamily) -> Bool { knowsNFT || (family == .ipv4 ? iptables : ip6tables) != nil }
}
