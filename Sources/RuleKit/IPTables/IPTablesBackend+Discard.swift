import IPVSKit
import Netlink

/// Sets that others may use: no set of the kernel's can go, or become another, while a rule looks into it.
extension IPTablesBackend {
    /// Takes sets away. One that somebody else uses is emptied, and stays.
    func discard(_ sets: [IPSet], _ library: IPSetLibrary) async throws(RuleError) -> [RuleRemnant] {
        let names = try await library.names()
        do {
            try await library.restore(sets.filter { names.contains($0.name) }.map { "destroy \($0.name)" })
            return []
        } catch {
            // Which of them it was is found out one by one.
        }
        let left = try await library.names()
        var kept: [String] = []
        for set in sets.map(\.name) where left.contains(set) {
            do {
                try await library.restore(["destroy \(set)"])
            } catch {
                try await library.restore(["flush \(set)"])
                kept.append(set)
            }
        }
        guard !kept.isEmpty else { return [] }
        let users = await users(of: Set(kept), library)
        return kept.map { RuleRemnant(subject: "ipset set \($0)", users: users[$0] ?? []) }
    }

    /// Makes room for sets that are there as another type, or with other options. Ours look into them, so that all rules
    /// go first: until they are up again, no new connection is balanced.
    ///
    /// - Returns: the translated ports that went with the rules, which are rules themselves.
    func replace(
        _ sets: [IPSet: IPSetHeader], _ library: IPSetLibrary
    ) async throws(RuleError) -> Set<SetElement> {
        guard !sets.isEmpty else { return [] }
        // Looked for first: while the rules of ours are there, the kernel does not tell whose it is that look into them.
        let users = await users(of: Set(sets.keys.map(\.name)), library)
        for set in sets.keys { if let users = users[set.name] { throw held(set, sets[set], users) } }
        let there = try await locate(families, in: library.namespace)
        try await takeDownRules(library.namespace)
        for set in sets.keys {
            guard let kept = try await discard([set], library).first else { continue }
            throw held(set, sets[set], kept.users)
        }
        return families.reduce(into: []) { $0.formUnion(there.tables[$1]?.targets($1) ?? []) }
    }

    private func held(_ set: IPSet, _ found: IPSetHeader?, _ users: [String]) -> RuleError {
        RuleError(
            code: .refused, operation: "make ipset set \(set.name) \(set.definition)",
            reason: "it is \(found?.definition ?? "another"), and used by \(RuleRemnant.list(users))",
            hint: "remove that, and try again")
    }

    /// The rules of others that look into sets, and the sets that these are in, by set.
    private func users(of sets: Set<String>, _ library: IPSetLibrary) async -> [String: [String]] {
        var users: [String: [String]] = [:]
        let host = await IPTablesVariant.ofHost { program in
            (try? await IPTablesTool.run(
                program, ["--version"], in: nil, deadline: deadline, operation: "run \(program)")) ?? ""
        }
        for variant in [host].compactMap(\.self) + IPTablesVariant.others(than: host) {
            if variant != host, (try? await mayHaveTables(variant, in: library.namespace)) != true { continue }
            for family in families {
                let tool = IPTablesTool(
                    family: family, variant: variant, namespace: library.namespace, deadline: deadline)
                guard let text = try? await tool.text() else { continue }
                for (table, line) in SavedTables.foreignRules(text) {
                    for set in Set(RuleLine(line).sets).intersection(sets) {
                        users[set, default: []].append("\(tool.name)\(variant.infix) \(table): \(line)")
                    }
                }
            }
        }
        for (set, members) in (try? await library.lists()) ?? [:] {
            for member in sets.intersection(members) { users[member, default: []].append("ipset set \(set)") }
        }
        return users.mapValues { $0.sorted() }
    }
}
