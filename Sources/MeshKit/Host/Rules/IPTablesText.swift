import IPVSKit
import RuleKit

/// Parses the output of iptables-save and ip6tables-save into tables. The mesh's own chains are left out.
enum IPTablesText {
    static func tables(_ text: String, family: AddressFamily) -> [RuleTable] {
        var tables: [RuleTable] = []
        for line in RuleLine.lines(of: text) {
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

    /// Parses `:INPUT DROP [0:0]`. The policy of a user-defined chain is a dash.
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

    /// The priority at which the kernel calls a chain.
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
        let rule = RuleLine(line)
        let words = rule.words
        guard words.count >= 2, !OwnRules.isChain(words[1]) else { return }
        let chain = words[1]
        let target = rule.verb ?? words.endIndex
        let action = IPTablesTargets.action(words[target...]) { table.chains[$0] != nil }
        table.chains[chain, default: []].append(
            HostRule(
                text: .line(String(line)), conditions: IPTablesMatches.conditions(words[2..<target]), action: action))
    }
}
