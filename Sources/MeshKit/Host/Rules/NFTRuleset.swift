import IPVSKit
import RuleKit

/// Parses the output of `nft -j list ruleset` into tables. The mesh's own table is left out.
struct NFTRuleset {
    private(set) var tables: [RuleTable] = []

    /// Details of tables, such as `ip filter`, that libnftables does not print.
    struct Details: Sendable {
        /// For each table, the matches and targets of iptables in words of iptables, by the rule's handle and in their
        /// order.
        var extensions: [String: [Int64: [[String]]]] = [:]
        /// For each table and chain, the network devices for which the kernel calls it. libnftables 1.0.6 leaves them
        /// out of its JSON.
        var devices: [String: [String: [String]]] = [:]

        /// Whether a text has rules whose extensions it does not tell.
        static func needsExtensions(_ text: String) -> Bool { text.contains("\"xt\"") }

        /// Whether a text has chains whose devices it may not tell.
        static func needsDevices(_ text: String) -> Bool {
            text.contains("\"hook\": \"ingress\"") || text.contains("\"hook\": \"egress\"")
        }
    }

    /// - Returns: nil if the text is no such document.
    init?(_ text: String, details: Details = Details()) {
        guard let objects = JSONParser.parse(Self.withoutObjects(text))?["nftables"]?.array?.compactMap(\.only) else {
            return nil
        }
        var places: [String: Int] = [:]
        for (kind, object) in objects {
            switch kind {
            case "table":
                guard let name = Self.name(object["family"], object["name"]), name != OwnRules.table,
                    !Self.isDormant(object), places[name] == nil, let layer = Self.layer(object)
                else { continue }
                places[name] = tables.count
                tables.append(RuleTable(tool: .nft, name: name, families: Self.families(object), layer: layer))
            case "chain":
                guard let place = Self.table(of: object).flatMap({ places[$0] }) else { continue }
                Self.declare(object, in: &tables[place], details)
            case "rule":
                guard let table = Self.table(of: object), let place = places[table],
                    let chain = object["chain"]?.string, !OwnRules.isChain(chain)
                else { continue }
                let statements = object["expr"]?.array ?? []
                var words: [[String]] = []
                if statements.contains(where: { $0["xt"] != nil }) {
                    words = object["handle"]?.number.flatMap { details.extensions[table]?[$0] } ?? []
                }
                tables[place].chains[chain, default: []] +=
                    NFTExpressions(table: table, extensions: words).rules(statements)
            default: break
            }
        }
    }

    /// Cuts out counters, which are not needed, so that they are not parsed: they are objects of their own, and our
    /// table has one for each published port. nft writes each object of a listing as `{"counter": {…}}`.
    private static func withoutObjects(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "{")), text.contains("{\"counter\": {\"family\"") else { return text }
        var result: [UInt8] = []
        var depth = 0
        var isString = false
        var isEscaped = false
        var start = 0
        let bytes = Array(text.utf8)
        let counter = Array("{\"counter\": {".utf8)
        result.reserveCapacity(bytes.count)
        var skipping = false
        for (place, byte) in bytes.enumerated() {
            if isString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                // The document is an object with one array, which contains these objects.
                if depth == 3, bytes[place...].starts(with: counter) {
                    result += bytes[start..<place]
                    skipping = true
                }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                guard skipping, depth == 2 else { continue }
                result += Array("null".utf8)
                start = place + 1
                skipping = false
            default: break
            }
        }
        result += bytes[start...]
        return String(decoding: result, as: UTF8.self)
    }

    private static func table(of object: JSONValue) -> String? { name(object["family"], object["table"]) }

    private static func name(_ family: JSONValue?, _ table: JSONValue?) -> String? {
        guard let family = family?.string, let table = table?.string else { return nil }
        return "\(family) \(table)"
    }

    private static func families(_ table: JSONValue) -> Set<AddressFamily> {
        switch table["family"]?.string {
        case "ip", "arp": [.ipv4]
        case "ip6": [.ipv6]
        default: [.ipv4, .ipv6]
        }
    }

    /// The layer of a table; nil if the table sees no packets in question.
    private static func layer(_ table: JSONValue) -> RuleTable.Layer? {
        switch table["family"]?.string {
        case "ip", "ip6", "inet": .network
        case "bridge": .bridge
        case "netdev": .device
        case "arp": .arp
        default: nil
        }
    }

    /// Whether the table is switched off. A single flag is a text, and several are a list.
    private static func isDormant(_ table: JSONValue) -> Bool {
        let flags = table["flags"]?.array ?? table["flags"].map { [$0] } ?? []
        return flags.contains(.string("dormant"))
    }

    private static func declare(_ object: JSONValue, in table: inout RuleTable, _ details: Details) {
        guard let name = object["name"]?.string, !OwnRules.isChain(name) else { return }
        table.chains[name] = table.chains[name] ?? []
        guard let hook = object["hook"]?.string else { return }
        let said = object["dev"] ?? object["devs"]
        var devices = (said?.array ?? said.map { [$0] } ?? []).compactMap(\.string)
        if devices.isEmpty, hook == "ingress" || hook == "egress" {
            devices = details.devices[table.name]?[name] ?? []
        }
        table.bases.append(
            RuleTable.BaseChain(
                name: name, hook: hook, isNAT: object["type"]?.string == "nat",
                drops: object["policy"]?.string == "drop", priority: object["prio"]?.number.map { Int($0) } ?? 0,
                devices: devices))
    }
}
