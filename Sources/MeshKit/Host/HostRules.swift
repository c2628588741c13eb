import IPVSKit

/// The rules of other programs in one network namespace.
///
/// They are read and parsed once for all questions, because parsing the rules of a large host takes a while.
///
/// A nil text was not read. Everything that should have been read and was not is listed in ``unread``, since an unknown
/// answer differs from an empty one.
package struct HostRules: Sendable {
    /// All tables except the mesh's own.
    let tables: [RuleTable]
    /// Asks about the elements of named sets; nil if no rule depends on any, or nobody can be asked.
    let sets: (any SetReader)?
    /// The names of all interfaces; nil if they are not known.
    let interfaces: Set<String>?
    /// The mark of new connections: 0 unless a rule marks connections, and nil if one does.
    let connectionMark: UInt32?
    /// The program that changes the rules of legacy iptables, if it is not called `iptables` or `ip6tables`.
    let programs: [AddressFamily: String]
    /// Everything that could not be read, with the reasons.
    package let unread: [String]
    private let known: Set<AddressFamily>

    /// - Parameters:
    ///   - iptables: the output of `iptables-legacy-save`.
    ///   - ip6tables: the output of `ip6tables-legacy-save`.
    ///   - nft: the output of `nft --json --terse list ruleset`.
    package init(iptables: String? = nil, ip6tables: String? = nil, nft: String? = nil) {
        self.init(iptables: iptables, ip6tables: ip6tables, nft: nft.map { [$0] }, unread: [])
    }

    init(
        iptables: String? = nil, ip6tables: String? = nil, nft: [String]? = nil,
        details: NFTRuleset.Details = .init(), programs: [AddressFamily: String] = [:],
        sets: (any SetReader)? = nil,
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
        let areSetsAsked = tables.contains { $0.chains.values.contains { $0.contains(where: \.asksSets) } }
        self.sets = areSetsAsked ? sets : nil
        self.programs = programs
        self.unread = unread
        self.known = known
    }

    /// Whether the rules that packets of a family meet are known.
    func areKnown(for family: AddressFamily) -> Bool { known.contains(family) }
}
