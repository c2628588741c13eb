import IPVSKit
import RuleKit
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
    /// What `nft -j list ruleset` prints, or `nft -j list table …` for each table of interest
    /// (``NFTRuleset/separator``).
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
    /// - Parameters:
    ///   - path: where to look for the tools, instead of in `PATH`.
    ///   - names: the tables of nftables that there are, as `inet filter`; nil where that cannot be known.
    package static func read(path: String? = nil, names: [String]? = NFTTableNames.read()) async -> HostRules {
        async let iptables = output("iptables-save", [], path)
        async let ip6tables = output("ip6tables-save", [], path)
        let shown = await IPTablesText.tablesOfNFT(iptables ?? "", family: .ipv4)
            .union(IPTablesText.tablesOfNFT(ip6tables ?? "", family: .ipv6))
        let nft = await foreign(names.map { $0.filter { !shown.contains($0) } }, path)
        return await HostRules(iptables: iptables, ip6tables: ip6tables, nft: nft)
    }

    /// The tables that are neither ours, which has elements for each published port, nor shown by iptables already.
    private static func foreign(_ names: [String]?, _ path: String?) async -> String? {
        guard let names else { return await output("nft", ["-j", "list", "ruleset"], path) }
        var texts = [#"{"nftables": []}"#]
        // Not in one call: nft 1.0.6 finds the last of several alone.
        for name in names where name != OwnRules.table {
            let arguments = ["-j", "list", "table"] + name.split(separator: " ").map(String.init)
            // Without nft nothing is known; a table that has gone meanwhile leaves the rest unknown, too.
            guard let text = await output("nft", arguments, path) else { return nil }
            texts.append(text)
        }
        return texts.joined(separator: String(NFTRuleset.separator))
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
