import IPVSKit

/// The rules of the host's, for one network namespace.
///
/// Read once for all that is asked of it: the texts of a large host take a while to parse.
///
/// A text that is nil was not read. What there should have been to read, and was not, is among ``unread``: an empty answer
/// and no answer are not the same.
package struct HostRules: Sendable {
    /// All tables, each once, the mesh's own left out.
    let tables: [RuleTable]
    /// Answers what is in sets that have a name.
    let sets: SetAnswers
    /// The names of the interfaces that there are; nil where they are not known.
    let interfaces: Set<String>?
    /// What new connections are marked with: nothing, unless a rule marks some.
    let connectionMark: UInt32?
    /// What changes the rules of legacy iptables, where that is not called `iptables` and `ip6tables`.
    let programs: [AddressFamily: String]
    /// What could not be looked at, and why.
    package let unread: [String]
    private let known: Set<AddressFamily>

    /// - Parameters:
    ///   - iptables: what `iptables-legacy-save` prints.
    ///   - ip6tables: what `ip6tables-legacy-save` prints.
    ///   - nft: what `nft --json --terse list ruleset` prints.
    package init(iptables: String? = nil, ip6tables: String? = nil, nft: String? = nil) {
        self.init(iptables: iptables, ip6tables: ip6tables, nft: nft.map { [$0] }, unread: [])
    }

    init(
        iptables: String? = nil, ip6tables: String? = nil, nft: [String]? = nil,
        details: NFTRuleset.Details = .none, programs: [AddressFamily: String] = [:], sets: SetAnswers = .none,
        interfaces: Set<String>? = nil, unread: [String]
    ) {
        var tables: [RuleTable] = []
        var known: Set<AddressFamily> = []
        var unread = unread
        for (text, family) in [(iptables, AddressFamily.ipv4), (ip6tables, .ipv6)] {
            guard let text else { continue }
            tables += IPTablesText.tables(text, family: family)
            known.insert(family)
        }
        if let nft {
            let rulesets = nft.map { NFTRuleset($0, details: details) }
            tables += rulesets.flatMap { $0?.tables ?? [] }
            if !rulesets.contains(where: { $0 == nil }) {
                known = Set(AddressFamily.allCases)
            } else {
                unread.append("the rules of nftables: what libnftables lists cannot be read")
            }
        }
        self.tables = tables
        self.interfaces = interfaces
        let areMarked = tables.contains { table in
            table.chains.values.contains { $0.contains { $0.action == .affect(.connectionMarked) } }
        }
        connectionMark = areMarked ? nil : 0
        self.sets = sets
        self.programs = programs
        self.unread = unread
        self.known = known
    }

    /// Whether anything is known of the rules that packets of a family meet.
    func areKnown(for family: AddressFamily) -> Bool { known.contains(family) }
}
