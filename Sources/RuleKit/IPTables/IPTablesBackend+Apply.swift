import IPVSKit
import Netlink

extension IPTablesBackend {
    /// Makes changes: sets and their elements first where rules are installed, rules first where they go.
    @discardableResult
    public func apply(_ changes: [RuleChange]) async throws(RuleError) -> [RuleRemnant] {
        guard !changes.isEmpty else { return [] }
        let handle = try open()
        let library = IPSetLibrary(namespace: handle, deadline: deadline)
        let edit = SetEdit(changes, sets: Dictionary(uniqueKeysWithValues: sets.map { ($0.name, $0) }))
        switch edit.role {
        case .uninstall:
            try await takeDownRules(handle)
            return try await discard(sets, library)
        case .install(let role): try await install(role, edit, library)
        case .unchanged:
            // A translation without a mark does nothing, a mark without its translation leads astray.
            if !edit.targets.put.isEmpty { try await write(edit.targets, in: handle) }
            try await library.restore(edit.additions + edit.removals)
            if edit.targets.put.isEmpty, !edit.targets.isEmpty { try await write(edit.targets, in: handle) }
        }
        return []
    }

    func takeDownRules(_ handle: NamespaceHandle?) async throws(RuleError) {
        try await write(families, in: handle) { saved, _ in saved.removing() }
        lastLook.withLock { $0 = nil }
    }

    private func install(_ role: RuleRole, _ edit: SetEdit, _ library: IPSetLibrary) async throws(RuleError) {
        var needed: [IPSet] = []
        if case .balancer = role { needed = sets }
        let strays = lastLook.withLock { $0?.strays ?? [] }
        let misfits = try await library.headers(of: needed).filter { set, found in !set.works(as: found.definition) }
        var targets = edit.targets
        targets.put.formUnion(try await replace(misfits, library).subtracting(targets.removed))
        let wanted = targets
        let created = try await library.create(needed)
        do throws(RuleError) {
            try await library.restore(strays + edit.additions + edit.removals)
            try await write(families(of: role), in: library.namespace, takingDownOnFailure: true) { saved, family in
                saved.restoring(Skeleton(role: role, family: family), targets: wanted, family: family)
            }
        } catch {
            await library.destroy(created)
            throw error
        }
        lastLook.withLock { $0 = nil }
    }

    private func write(_ targets: TargetEdit, in handle: NamespaceHandle?) async throws(RuleError) {
        try await write(families, in: handle) { saved, family in saved.editing(targets, family: family) }
        lastLook.withLock { look in
            for family in families { look?.tables[family]?.note(targets, family) }
        }
    }
}

extension IPTablesBackend {
    /// One iptables-restore for each family that there is something to write for.
    ///
    /// What was found by the last look is taken for what is there. Where that is refused, it may be because others
    /// have changed something since: then another look is taken, and it is tried once more.
    ///
    /// - Parameter takingDownOnFailure: whether what was written of it is taken away again, where nothing was before: a
    ///   table is written as one, but not all tables.
    private func write(
        _ families: [AddressFamily], in handle: NamespaceHandle?, takingDownOnFailure: Bool = false,
        _ document: (SavedTables, AddressFamily) -> String
    ) async throws(RuleError) {
        let last = lastLook.withLock { $0 }.flatMap { $0.holds(families) ? $0 : nil }
        var located: Located
        if let last { located = last } else { located = try await locate(families, in: handle) }
        let wasEmpty = located.isEmpty
        do throws(RuleError) {
            do throws(RuleError) {
                try await restore(located, families, in: handle, document)
            } catch  where error.code == .refused && last != nil && !wasEmpty {
                located = try await locate(families, in: handle)
                try await restore(located, families, in: handle, document)
            } catch  where wasEmpty && takingDownOnFailure && IPTablesTool.lacksTables(error) {
                guard let other = IPTablesVariant.others(than: located.variant).first,
                    let saved = try? await save(other, families, in: handle)
                else { throw error }
                try await takeDown(located.variant, families, in: handle)
                located = saved
                try await restore(saved, families, in: handle, document)
            }
        } catch {
            lastLook.withLock { $0 = nil }
            if wasEmpty, takingDownOnFailure { try? await takeDown(located.variant, families, in: handle) }
            throw error
        }
    }

    private func takeDown(
        _ variant: IPTablesVariant, _ families: [AddressFamily], in handle: NamespaceHandle?
    ) async throws(RuleError) {
        try await restore(save(variant, families, in: handle), families, in: handle) { saved, _ in saved.removing() }
    }

    private func restore(
        _ located: Located, _ families: [AddressFamily], in handle: NamespaceHandle?,
        _ document: (SavedTables, AddressFamily) -> String
    ) async throws(RuleError) {
        for family in families {
            let tool = IPTablesTool(
                family: family, variant: located.variant, namespace: handle, deadline: deadline)
            try await tool.restore(document(located.tables[family] ?? SavedTables(""), family))
        }
    }
}
