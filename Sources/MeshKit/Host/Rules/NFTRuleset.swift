#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
import IPVSKit
import RuleKit

/// What `nft -j list ruleset` prints, as tables; or several such texts. The mesh's own table is left out.
struct NFTRuleset {
    private(set) var tables: [RuleTable] = []

    /// What stands between two texts.
    static let separator: Character = "\0"

    /// - Parameter skipping: tables to leave out, as `ip filter`, since iptables showed them.
    /// - Returns: nil for what is no such document.
    init?(_ text: String, skipping: Set<String> = []) {
        struct Document: Decodable { var nftables: [JSONValue] }
        let documents = text.split(separator: Self.separator).map {
            try? JSONDecoder().decode(Document.self, from: Data($0.utf8))
        }
        guard !documents.isEmpty, !documents.contains(where: { $0 == nil }) else { return nil }
        let objects = documents.flatMap { $0!.nftables.compactMap(\.only) }

        var sets: [String: NFTExpressions.Sets] = [:]
        for (kind, object) in objects where kind == "set" || kind == "map" {
            guard let table = Self.table(of: object), let name = object["name"]?.string else { continue }
            sets[table, default: [:]][name] = object["elem"]?.array ?? []
        }
        var places: [String: Int] = [:]
        for (kind, object) in objects {
            switch kind {
            case "table":
                guard let name = Self.name(object["family"], object["name"]), !skipping.contains(name),
                    name != OwnRules.table, !Self.isDormant(object), places[name] == nil
                else { continue }
                places[name] = tables.count
                tables.append(RuleTable(tool: .nft, name: name, families: Self.families(object)))
            case "chain":
                guard let place = Self.table(of: object).flatMap({ places[$0] }) else { continue }
                Self.declare(object, in: &tables[place])
            case "rule":
                guard let table = Self.table(of: object), let place = places[table],
                    let chain = object["chain"]?.string
                else { continue }
                tables[place].chains[chain, default: []] +=
                    NFTExpressions(sets: sets[table] ?? [:]).rules(object["expr"]?.array ?? [])
            default: break
            }
        }
        // Others see no packets that we ask about: bridge, arp, netdev.
        tables.removeAll { $0.families.isEmpty }
    }

    private static func table(of object: JSONValue) -> String? { name(object["family"], object["table"]) }

    private static func name(_ family: JSONValue?, _ table: JSONValue?) -> String? {
        guard let family = family?.string, let table = table?.string else { return nil }
        return "\(family) \(table)"
    }

    private static func families(_ table: JSONValue) -> Set<AddressFamily> {
        switch table["family"]?.string {
        case "ip": [.ipv4]
        case "ip6": [.ipv6]
        case "inet": [.ipv4, .ipv6]
        default: []
        }
    }

    /// A table that is switched off. A flag alone is text, several are a list.
    private static func isDormant(_ table: JSONValue) -> Bool {
        let flags = table["flags"]?.array ?? table["flags"].map { [$0] } ?? []
        return flags.contains(.string("dormant"))
    }

    private static func declare(_ object: JSONValue, in table: inout RuleTable) {
        guard let name = object["name"]?.string else { return }
        table.chains[name] = table.chains[name] ?? []
        guard let hook = object["hook"]?.string else { return }
        table.bases.append(
            RuleTable.BaseChain(
                name: name, hook: hook, isNAT: object["type"]?.string == "nat",
                drops: object["policy"]?.string == "drop"))
    }
}
