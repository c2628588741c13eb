import IPVSKit
import Netlink

/// Removes sets that other rules may use: the kernel does not destroy or replace a set that a rule uses.
extension IPTablesBackend {
    /// Destroys sets. A set that somebody else uses is emptied instead, and reported.
    func discard(_ sets: [IPSet], _ library: IPSetLibrary) async throws(RuleError) -> [RuleRemnant] {
        let names = try await library.names()
        do {
            try await library.restore(sets.filter { names.contains($0.name) }.map { "destroy \($0.name)" })
            return []
        } catch {
            // One set could not be destroyed. Destroying them one by one shows which.
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
        // Whoever they are, the sets stay.
        let users = (try? await users(of: Set(kept), library)) ?? [:]
        return kept.map { RuleRemnant(subject: "ipset set \($0)", users: users[$0] ?? []) }
    }

    /// Removes sets that exist with another type or other options than ours. Our rules use these sets, so that all our
    /// rules are removed first; until they are installed again, no new connection is balanced.
    ///
    /// - Returns: the translated ports that were removed with the rules: each is a rule itself.
    func replace(
        _ sets: [IPSet: IPSetHeader], _ library: IPSetLibrary
    ) async throws(RuleError) -> Set<SetElement> {
        guard !sets.isEmpty else { return [] }
        // Users are looked for before anything is removed, so that a set that somebody else uses is refused while our
        // rules still work. The kernel's count of users does not say whose rules they are.
        let users = try await users(of: Set(sets.keys.map(\.name)), library)
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

    /// The rules of others that use sets of ours, and the sets of sets that contain them, by set. A variant of iptables
    /// that is not installed, or that the kernel lacks, has none.
    func users(of sets: Set<String>, _ library: IPSetLibrary) async throws(RuleError) -> [String: [String]] {
        var users: [String: [String]] = [:]
        let host = await hostVariant()
        for variant in [host].compactMap(\.self) + IPTablesVariant.others(than: host) {
            if variant != host, try await !mayHaveTables(variant, in: library.namespace) { continue }
            for family in families {
                let tool = IPTablesTool(
                    family: family, variant: variant, namespace: library.namespace, deadline: deadline)
                let text: String
                do throws(RuleError) {
                    text = try await tool.text()
                } catch  where error.code == .kernelLacksSupport || error.code == .toolMissing {
                    continue
                }
                for (table, line) in SavedTables.foreignRules(text) {
                    for set in Set(RuleLine(line).sets).intersection(sets) {
                        users[set, default: []].append("\(tool.name)\(variant.infix) \(table): \(line)")
                    }
                }
            }
        }
        for (set, members) in try await library.lists() {
            for member in sets.intersection(members) { users[member, default: []].append("ipset set \(set)") }
        }
        return users.mapValues { $0.sorted() }
    }
}
