import IPVSKit

/// Our chains and jumps in the tables, and the iptables variant that holds them.
///
/// The variant is the one that already holds chains of ours; else the host's own, if it works; else the other. Rules
/// are never installed in both variants: a packet would meet all rules twice, and removing the rules of one variant
/// would leave those of the other. Usually the host's own variant holds them, and it is read first.
struct FoundTables: Equatable, Sendable {
    var variant: IPTablesVariant
    var tables: [AddressFamily: SavedTables]
    /// Lines for libipset that remove elements that are not ours from our sets.
    var strays: [String] = []
    /// When the tables were read; nil for iptables-legacy, whose tables have no generations.
    var moment: RuleMoment?

    /// Whether the tables of these families were read.
    func holds(_ families: [AddressFamily]) -> Bool { families.allSatisfy { tables[$0] != nil } }

    var isEmpty: Bool { tables.values.allSatisfy(\.isEmpty) }

    /// The chains that stay when all goes but a skeleton, since rules of others lead there.
    func remnants(beside skeleton: (AddressFamily) -> Skeleton?) -> [RuleRemnant] {
        tables.sorted { $0.key < $1.key }.flatMap { family, saved in
            let tool = IPTablesTool.name(family)
            return saved.held(beside: skeleton(family)).map { table, chain, rules in
                RuleRemnant(
                    subject: "\(tool) \(table) chain \(chain)",
                    users: rules.map { "\(tool)\(variant.infix) \(table): \($0)" })
            }
        }
    }
}
