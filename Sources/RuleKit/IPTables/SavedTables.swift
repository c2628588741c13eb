import IPVSKit

/// The parts of the text of iptables-save that concern us: our chains, and the rules that jump to them.
struct SavedTables: Equatable, Sendable {
    /// A rule in a chain that is not ours, which leads to one that is.
    struct Jump: Hashable, Sendable {
        var line: String
        var chain: String
    }

    struct Table: Equatable, Sendable {
        /// Our chains and their rules, by name.
        var chains: [String: [String]] = [:]
        /// The jumps that are ours as well: each is a line that a skeleton has.
        var jumps: [Jump] = []
        /// The jumps of others. The kernel keeps a chain for as long as one leads there.
        var foreignJumps: [Jump] = []

        /// Whether nothing of ours is there but what others keep from going.
        var isEmpty: Bool { jumps.isEmpty && chains.keys.allSatisfy(isRemnant) }

        func isHeld(_ chain: String) -> Bool { foreignJumps.contains { $0.chain == chain } }

        /// Whether all has been done to a chain that can be done to take it away.
        func isRemnant(_ chain: String) -> Bool { isHeld(chain) && chains[chain]?.isEmpty == true }
    }

    private(set) var tables: [String: Table] = [:]
    /// Whose the rules say they are.
    private(set) var owner: RuleOwner?

    /// The chain that says it, in the table `mangle`; nothing leads there.
    static let ownerChain = OwnRules.chainPrefix + "OWNER"

    init(_ text: String) {
        var table = ""
        for line in RuleLine.lines(of: text) {
            if line.hasPrefix("-A \(Self.ownerChain) ") {
                owner =
                    line.split(whereSeparator: { $0 == " " || $0 == "\"" })
                    .lazy.compactMap { RuleOwner(text: $0) }.first
                continue
            }
            if line.hasPrefix("*") {
                table = String(line.dropFirst())
            } else if line.hasPrefix(":\(OwnRules.chainPrefix)") {
                let name = String(line.dropFirst().prefix { $0 != " " })
                tables[table, default: Table()].chains[name, default: []] += []
            } else if line.hasPrefix("-A ") {
                let chain = String(line.dropFirst(3).prefix { $0 != " " })
                if chain.hasPrefix(OwnRules.chainPrefix) {
                    // iptables-save declares chains before their rules, so the chain is known.
                    tables[table]?.chains[chain]?.append(Self.normalised(line))
                } else if line.contains(OwnRules.chainPrefix), let target = RuleLine(line).target,
                    OwnRules.isChain(target)
                {
                    let jump = Jump(line: String(line), chain: target)
                    if Skeleton.allJumpLines.contains(jump.line) {
                        tables[table, default: Table()].jumps.append(jump)
                    } else {
                        tables[table, default: Table()].foreignJumps.append(jump)
                    }
                }
            }
        }
    }

    /// The rule with its hardware address in lower case: some versions of iptables-save print it in upper case.
    private static func normalised(_ line: Substring) -> String {
        let option = " --mac-source "
        guard let start = line.firstRange(of: option)?.upperBound else { return String(line) }
        let end = line[start...].firstIndex(of: " ") ?? line.endIndex
        return line[..<start] + line[start..<end].lowercased() + line[end...]
    }

    /// Our part as iptables-save prints it, from which the same value is read.
    var text: String {
        let owners = owner.map { ["-A \(Self.ownerChain) -m comment --comment \($0.text) -j RETURN"] } ?? []
        return tables.sorted { $0.key < $1.key }.map { name, table in
            let chains = table.chains.sorted { $0.key < $1.key }
            let rules = chains.flatMap(\.value) + table.jumps.map(\.line) + table.foreignJumps.map(\.line)
            let lines = ["*\(name)"] + chains.map { ":\($0.key) - [0:0]" } + rules + (name == "mangle" ? owners : [])
            return (lines + ["COMMIT", ""]).joined(separator: "\n")
        }.joined()
    }

    var isEmpty: Bool { tables.values.allSatisfy(\.isEmpty) }

    func rules(of chain: String, in table: String) -> [String] { tables[table]?.chains[chain] ?? [] }

    /// The translated ports for which there are rules, as elements.
    func targets(_ family: AddressFamily) -> Set<SetElement> {
        Set(rules(of: TargetRule.chain, in: "nat").compactMap { TargetRule.element($0, family) })
    }

    /// Rules outside our chains that mention a set of ours, with their tables.
    static func foreignRules(_ text: String) -> [(table: String, line: String)] {
        var table = ""
        var rules: [(table: String, line: String)] = []
        for line in RuleLine.lines(of: text) {
            if line.hasPrefix("*") { table = String(line.dropFirst()) }
            guard line.hasPrefix("-A "), !OwnRules.isChain(line.dropFirst(3)), line.contains(OwnRules.setPrefix) else {
                continue
            }
            rules.append((table, String(line)))
        }
        return rules
    }
}

extension SavedTables {
    /// Records an edit that was written.
    mutating func note(_ edit: TargetEdit, _ family: AddressFamily) {
        for line in edit.lines(from: self, family) {
            let rule = "-A" + line.dropFirst(2)
            if line.hasPrefix("-D") {
                tables["nat"]?.chains[TargetRule.chain]?.removeAll { $0 == rule }
            } else {
                tables["nat"]?.chains[TargetRule.chain]?.append(rule)
            }
        }
    }
}
