import IPVSKit
import RuleKit

/// What iptables-save and ip6tables-save print, as tables. Chains of the mesh's own are left out.
enum IPTablesText {
    static func tables(_ text: String, family: AddressFamily) -> [RuleTable] {
        let lines = text.split(separator: "\n")
        var tables: [RuleTable] = []
        for line in lines {
            if line.hasPrefix("*") {
                tables.append(
                    RuleTable(
                        tool: family == .ipv4 ? .iptables : .ip6tables, name: String(line.dropFirst()),
                        families: [family]))
            } else if line.hasPrefix(":"), !tables.isEmpty {
                declare(line, in: &tables[tables.count - 1])
            } else if line.hasPrefix("-A "), !tables.isEmpty {
                append(line, to: &tables[tables.count - 1])
            }
        }
        return tables
    }

    /// `:INPUT DROP [0:0]`; the policy of a user's chain is a dash.
    private static func declare(_ line: Substring, in table: inout RuleTable) {
        let words = line.dropFirst().split(separator: " ")
        guard words.count >= 2, !OwnRules.isChain(words[0]) else { return }
        let name = String(words[0])
        table.chains[name] = []
        guard words[1] != "-" else { return }
        table.bases.append(
            RuleTable.BaseChain(
                name: name, hook: name.lowercased(), isNAT: table.name == "nat", drops: words[1] == "DROP",
                priority: priority(of: name, in: table.name)))
    }

    /// When the kernel calls a chain, among those of all tables.
    private static func priority(of chain: String, in table: String) -> Int {
        switch table {
        case "raw": -300
        case "mangle": -150
        case "nat": chain == "PREROUTING" || chain == "OUTPUT" ? -100 : 100
        case "security": 50
        default: 0
        }
    }

    private static func append(_ line: Substring, to table: inout RuleTable) {
        let words = words(line)
        guard words.count >= 2, !OwnRules.isChain(words[1]) else { return }
        let chain = words[1]
        let target = words.firstIndex { $0 == "-j" || $0 == "-g" } ?? words.endIndex
        let rule = HostRule(
            text: String(line), conditions: IPTablesMatches.conditions(words[2..<target]),
            action: IPTablesTargets.action(words[target...], chains: Set(table.chains.keys)))
        table.chains[chain, default: []].append(rule)
    }

    /// Words as a shell splits them; iptables quotes what has a space with `"`, and escapes with `\`.
    static func words(_ line: Substring) -> [String] {
        if !line.utf8.contains(UInt8(ascii: "\"")), !line.utf8.contains(UInt8(ascii: "\\")) {
            return line.split(separator: " ").map(String.init)
        }
        var words: [String] = []
        var word: String?
        var isQuoted = false
        var isEscaped = false
        for character in line {
            if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
                word = word ?? ""
            } else if character == " ", !isQuoted {
                if let done = word { words.append(done) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if let done = word { words.append(done) }
        return words
    }
}
