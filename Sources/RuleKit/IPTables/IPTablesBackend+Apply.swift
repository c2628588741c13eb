import IPVSKit
import Netlink

extension IPTablesBackend {
    /// Makes the changes. On install, sets and their elements come before the rules that use them, and elements go after
    /// that: what they did may have another rule now. On uninstall, the rules go first.
    @discardableResult
    public func apply(_ changes: [RuleChange]) async throws(RuleError) -> [RuleRemnant] {
        guard !changes.isEmpty else { return [] }
        let handle = try open()
        let library = IPSetLibrary(namespace: handle, deadline: deadline)
        let edit = SetEdit(changes, sets: Dictionary(uniqueKeysWithValues: sets.map { ($0.name, $0) }))
        let remnants = try await apply(edit, handle, library)
        if let owner = edit.owner {
            let located = try await locate(families, in: handle)
            let tool = IPTablesTool(
                family: families[0], variant: located.variant, namespace: handle, deadline: deadline)
            try await tool.restore(SavedTables.claiming(owner))
        }
        return remnants
    }

    private func apply(
        _ edit: SetEdit, _ handle: NamespaceHandle?, _ library: IPSetLibrary
    ) async throws(RuleError) -> [RuleRemnant] {
        switch edit.role {
        case .uninstall:
            return try await takeDownRules(handle) + discard(sets, library)
        case .install(let role): return try await install(role, edit, library)
        case .unchanged:
            // A rule that translates ports is added before the mark of the port and removed after it: a translation
            // without a mark has no effect, but a mark without its translation leads to a wrong port.
            if !edit.targets.put.isEmpty { try await write(edit.targets, in: handle) }
            try await library.restore(edit.additions + edit.removals)
            if edit.targets.put.isEmpty, !edit.targets.isEmpty { try await write(edit.targets, in: handle) }
        }
        return []
    }

    /// Takes all rules away. A chain that a rule of somebody else's leads to is emptied, and stays.
    @discardableResult
    func takeDownRules(_ handle: NamespaceHandle?) async throws(RuleError) -> [RuleRemnant] {
        let found = try await write(families, in: handle) { saved, _ in saved.removing() }
        lastLook.withLock { $0 = nil }
        return found.remnants { _ in nil }
    }

    private func install(
        _ role: RuleRole, _ edit: SetEdit, _ library: IPSetLibrary
    ) async throws(RuleError) -> [RuleRemnant] {
        var needed: [IPSet] = []
        if case .balancer = role { needed = sets }
        let strays = lastLook.withLock { $0?.strays ?? [] }
        let misfits = try await library.headers(of: needed).filter { set, found in !set.works(as: found.definition) }
        var targets = edit.targets
        targets.put.formUnion(try await replace(misfits, library).subtracting(targets.removed))
        let wanted = targets
        let created = try await library.create(needed)
        let found: FoundTables
        do throws(RuleError) {
            try await library.restore(strays + edit.additions)
            found = try await write(families(of: role), in: library.namespace, takingDownOnFailure: true) {
                saved, family in
                saved.restoring(Skeleton(role: role, family: family), targets: wanted, family: family)
            }
        } catch {
            await library.destroy(created)
            throw error
        }
        lastLook.withLock { $0 = nil }
        try await library.restore(edit.removals)
        return found.remnants { Skeleton(role: role, family: $0) }
    }

    private func write(_ targets: TargetEdit, in handle: NamespaceHandle?) async throws(RuleError) {
        let strays = lastLook.withLock { $0?.strays ?? [] }
        let found = try await write(families, in: handle) { saved, family in saved.editing(targets, family: family) }
        var written = await tables(found, after: targets, in: handle)
        written.strays = strays
        lastLook.withLock { [written] in $0 = written }
    }
}

extension IPTablesBackend {
    /// Runs one iptables-restore for each family that has something to write.
    ///
    /// The document is made from the last look at the tables. If iptables refuses it, another program may have changed
    /// the tables since: then the tables are read again, and the document is written once more.
    ///
    /// - Parameter takingDownOnFailure: whether what was written of it is taken away again, where nothing was before: a
    ///   table is written as one, but not all tables.
    /// - Returns: what was there before.
    @discardableResult
    private func write(
        _ families: [AddressFamily], in handle: NamespaceHandle?, takingDownOnFailure: Bool = false,
        _ document: (SavedTables, AddressFamily) -> String
    ) async throws(RuleError) -> FoundTables {
        let last = lastLook.withLock { $0 }.flatMap { $0.holds(families) ? $0 : nil }
        var located: FoundTables
        if let last { located = last } else { located = try await locate(families, in: handle) }
        let wasEmpty = located.isEmpty
        do throws(RuleError) {
            do throws(RuleError) {
                try await restore(located, families, in: handle, document)
            } catch  where error.code == .refused && last != nil && !wasEmpty {
                forget()
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
            forget()
            if wasEmpty, takingDownOnFailure { try? await takeDown(located.variant, families, in: handle) }
            throw error
        }
        return located
    }

    /// Forgets all that was read of the tables: they are not as it says, if a program refuses to change them.
    private func forget() {
        lastLook.withLock { $0 = nil }
        listings.forget()
        generation?.forget()
    }

    private func takeDown(
        _ variant: IPTablesVariant, _ families: [AddressFamily], in handle: NamespaceHandle?
    ) async throws(RuleError) {
        try await restore(save(variant, families, in: handle), families, in: handle) { saved, _ in saved.removing() }
    }

    private func restore(
        _ located: FoundTables, _ families: [AddressFamily], in handle: NamespaceHandle?,
        _ document: (SavedTables, AddressFamily) -> String
    ) async throws(RuleError) {
        for family in families {
            let tool = IPTablesTool(
                family: family, variant: located.variant, namespace: handle, deadline: deadline)
            try await tool.restore(document(located.tables[family] ?? SavedTables(""), family))
        }
    }
}
