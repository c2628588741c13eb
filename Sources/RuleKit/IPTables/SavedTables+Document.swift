import IPVSKit

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

    static func deletion(of line: String) -> String { "-D" + line.dropFirst(2) }

    /// A table without lines is left out, because iptables-restore creates every table that the input names.
    private func document(order: [String] = Skeleton.tables, lines: (String) -> [String]) -> String {
        let others = tables.keys.filter { !order.contains($0) }.sorted()
        return (order + others).map { ($0, lines($0)) }
            .filter { !$0.1.isEmpty }
            .map { table, lines in "*\(table)\n" + lines.joined(separator: "\n") + "\nCOMMIT\n" }
            .joined()
    }
}
