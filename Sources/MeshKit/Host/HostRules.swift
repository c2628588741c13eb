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
    /// - Parameter path: where to look for the tools, instead of in `PATH`.
    package static func read(path: String? = nil) async -> HostRules {
        async let iptables = output("iptables-save", [], path)
        async let ip6tables = output("ip6tables-save", [], path)
        async let tables = output("nft", ["-j", "list", "tables"], path)
        let shown = await IPTablesText.tablesOfNFT(iptables ?? "", family: .ipv4)
            .union(IPTablesText.tablesOfNFT(ip6tables ?? "", family: .ipv6))
        let nft = await foreign(tables, shown, path)
        return await HostRules(iptables: iptables, ip6tables: ip6tables, nft: nft)
    }

    /// The tables that are neither ours, which has an element for each published port, nor shown by iptables already.
    private static func foreign(_ tables: String?, _ shown: Set<String>, _ path: String?) async -> String? {
        guard let tables else { return nil }
        guard let names = NFTRuleset(tables, skipping: shown)?.tables.map(\.name) else {
            return await output("nft", ["-j", "list", "ruleset"], path)
        }
        // Not in one call: nft 1.0.6 finds the last of several alone.
        var text = tables
        for name in names {
            // One that has gone meanwhile is none.
            guard
                let table = await output(
                    "nft", ["-j", "list", "table"] + name.split(separator: " ").map(String.init), path)
            else { continue }
            text += "\(NFTRuleset.separator)\(table)"
        }
        return text
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
