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

    var isEmpty: Bool { tables.values.allSatisfy(\.isEmpty) }

    func rules(of chain: String, in table: String) -> [String] { tables[table]?.chains[chain] ?? [] }
    private func jumps(to chain: String, in table: String) -> [String] {
        (tables[table]?.jumps ?? []).filter { $0.chain == chain }.map(\.line)
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
    /// The differences between the chains that were found and a skeleton.
    func faults(against skeleton: Skeleton, tool: String, family: AddressFamily) -> [RuleFault] {
        var faults: [String] = []
        for chain in skeleton.chains {
            let place = "\(tool) \(chain.table) \(chain.name)"
            if tables[chain.table]?.chains[chain.name] == nil {
                faults.append("\(place): chain missing")
                continue
            }
            let found = rules(of: chain.name, in: chain.table)
            if chain.isVariable {
                faults += strays(in: chain, family).map { "\(place): rule not ours, or twice: \($0)" }
            } else {
                let wanted = chain.ruleLines()
                let missing = wanted.filter { !found.contains($0) }
                let foreign = found.filter { !wanted.contains($0) }
                faults += missing.map { "\(place): rule missing: \($0)" }
                faults += foreign.map { "\(place): rule not ours: \($0)" }
                if missing.isEmpty, foreign.isEmpty, found != wanted {
                    faults.append("\(place): rules twice or out of order")
                }
            }

            let foundJumps = jumps(to: chain.name, in: chain.table)
            let wantedJumps = chain.jumpLines()
            faults += wantedJumps.filter { !foundJumps.contains($0) }
                .map { "\(tool) \(chain.table): jump missing: \($0)" }
            if foundJumps.count > wantedJumps.count {
                faults.append("\(tool) \(chain.table): more than one jump to \(chain.name)")
            }
        }
        for (table, chains) in unwanted(by: skeleton).sorted(by: { $0.key < $1.key }) {
            faults += chains.map { "\(tool) \(table): chain not ours: \($0)" }
        }
        return faults.map { RuleFault($0) }
    }

    /// Chains with our prefix that are not in the skeleton, by table.
    private func unwanted(by skeleton: Skeleton) -> [String: [String]] {
        var result: [String: [String]] = [:]
        for (name, table) in tables {
            let wanted = Set(skeleton.chains.filter { $0.table == name }.map(\.name)).union([Self.ownerChain])
            let chains = Set(table.chains.keys).union(table.jumps.map(\.chain)).subtracting(wanted)
                .filter { !table.isRemnant($0) }
            if !chains.isEmpty { result[name] = chains.sorted() }
        }
        return result
    }

    /// The rules of a variable chain that stand for no element, or repeat one.
    private func strays(in chain: Skeleton.Chain, _ family: AddressFamily) -> [String] {
        var seen: Set<SetElement> = []
        return rules(of: chain.name, in: chain.table).filter { line in
            TargetRule.element(line, family).map { !seen.insert($0).inserted } ?? true
        }
    }

    /// The translated ports for which there are rules, as elements.
    func targets(_ family: AddressFamily) -> Set<SetElement> {
        Set(rules(of: TargetRule.chain, in: "nat").compactMap { TargetRule.element($0, family) })
    }
}

extension SavedTables {
    /// The input of `iptables-restore --noflush` that installs a skeleton, whatever parts of it are there. Declaring a
    /// chain empties it, and each table is committed atomically, so that no packet meets half of a table.
    func restoring(_ skeleton: Skeleton, targets: TargetEdit, family: AddressFamily) -> String {
        let unwanted = unwanted(by: skeleton)
        return document { table in
            let wanted = skeleton.chains.filter { $0.table == table }
            let (constant, variable) = (wanted.filter { !$0.isVariable }, wanted.filter(\.isVariable))
            let missing = variable.filter { tables[table]?.chains[$0.name] == nil }
            var lines = (constant + missing).map { ":\($0.name) - [0:0]" }
            lines += (tables[table]?.jumps ?? []).map { Self.deletion(of: $0.line) }
            lines += removal(of: unwanted[table] ?? [], in: table)
            // Each is put first: the last that is written is the first that a packet meets.
            lines += wanted.reversed().flatMap { $0.jumpLines().reversed() }.map { "-I" + $0.dropFirst(2) }
            lines += constant.flatMap { $0.ruleLines() }
            lines += variable.flatMap { strays(in: $0, family) }.map(Self.deletion)
            return lines + (variable.isEmpty ? [] : targets.lines(from: self, family))
        }
    }

    /// The input of `iptables-restore --noflush` that writes down whose the rules are.
    static func claiming(_ owner: RuleOwner) -> String {
        """
        *mangle
        :\(ownerChain) - [0:0]
        -A \(ownerChain) -m comment --comment \(owner.text) -j RETURN
        COMMIT

        """
    }

    /// The input of `iptables-restore --noflush` that changes only translated ports.
    func editing(_ targets: TargetEdit, family: AddressFamily) -> String {
        document { $0 == "nat" ? targets.lines(from: self, family) : [] }
    }

    /// The input of `iptables-restore --noflush` that removes everything of ours. Marks go before the rules that depend
    /// on them.
    func removing() -> String {
        document(order: Skeleton.tables.reversed()) { table in
            (tables[table]?.jumps ?? []).map { Self.deletion(of: $0.line) }
                + removal(of: tables[table]?.chains.keys.sorted() ?? [], in: table)
        }
    }

    /// Chains may refer to each other, so that all are emptied before one goes. One that a rule of somebody else's leads
    /// to stays: the kernel would refuse the whole table.
    private func removal(of names: [String], in table: String) -> [String] {
        guard let table = tables[table] else { return [] }
        let chains = names.filter { table.chains[$0] != nil && !table.isRemnant($0) }
        return chains.map { "-F \($0)" } + chains.filter { !table.isHeld($0) }.map { "-X \($0)" }
    }

    /// The chains that stay when all goes but a skeleton, each with the table that it is in and the rules of others that
    /// lead there.
    func held(beside skeleton: Skeleton? = nil) -> [(table: String, chain: String, rules: [String])] {
        tables.sorted { $0.key < $1.key }.flatMap { name, table in
            let wanted = Set((skeleton?.chains ?? []).filter { $0.table == name }.map(\.name))
            return table.chains.keys.sorted().filter { table.isHeld($0) && !wanted.contains($0) }.map { chain in
                (name, chain, table.foreignJumps.filter { $0.chain == chain }.map(\.line))
            }
        }
    }

    fileprivate static func deletion(of line: String) -> String { "-D" + line.dropFirst(2) }

    /// A table without lines is left out, because iptables-restore creates every table that the input names.
    private func document(order: [String] = Skeleton.tables, lines: (String) -> [String]) -> String {
        let others = tables.keys.filter { !order.contains($0) }.sorted()
        return (order + others).map { ($0, lines($0)) }
            .filter { !$0.1.isEmpty }
            .map { table, lines in "*\(table)\n" + lines.joined(separator: "\n") + "\nCOMMIT\n" }
            .joined()
    }
}

/// Translated ports to add and to remove.
struct TargetEdit: Equatable {
    var put: Set<SetElement> = []
    var removed: Set<SetElement> = []

    var isEmpty: Bool { put.isEmpty && removed.isEmpty }

    /// The lines of an edit. A rule that exists is not added again, and a rule that is missing is not deleted: iptables
    /// would refuse the whole document.
    fileprivate func lines(from saved: SavedTables, _ family: AddressFamily) -> [String] {
        let (set, found) = (TargetRule.set(family), saved.targets(family))
        let gone = removed.subtracting(put).filter { $0.set == set && found.contains($0) }
        let new = put.filter { $0.set == set && !found.contains($0) }
        return gone.sorted().compactMap(TargetRule.line).map(SavedTables.deletion)
            + new.sorted().compactMap(TargetRule.line)
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
