import IPVSKit
import Netlink

extension IPTablesBackend {
    /// Looks for the tables that hold our rules, or are to hold them: ``FoundTables`` describes which.
    func locate(_ families: [AddressFamily], in handle: NamespaceHandle?) async throws(RuleError) -> FoundTables {
        let host = await hostVariant()
        var found: FoundTables?
        var failure: RuleError?
        if let host {
            do throws(RuleError) {
                found = try await save(host, families, in: handle)
                if let found, !found.isEmpty { return found }
            } catch  where error.code == .kernelLacksSupport || error.code == .toolMissing {
                failure = error
            }
        }
        for other in IPTablesVariant.others(than: host) {
            if found != nil, try await !mayHaveTables(other, in: handle) { continue }
            do throws(RuleError) {
                let saved = try await save(other, families, in: handle)
                if found == nil || !saved.isEmpty { return saved }
            } catch  where error.code == .kernelLacksSupport || error.code == .toolMissing {
                // It holds no rules then. Any other failure says nothing of what it holds.
                failure = failure ?? error
            }
        }
        if let found { return found }
        throw failure
            ?? RuleError(
                code: .toolMissing, operation: "read the rules of iptables", reason: "iptables-restore is not in PATH",
                hint: "install the package iptables, and see that PATH holds /usr/sbin")
    }

    /// The variant of the host's own `iptables`; nil without iptables.
    func hostVariant() async -> IPTablesVariant? {
        await IPTablesVariant.ofHost { program in
            (try? await IPTablesTool.run(
                program, ["--version"], in: nil, deadline: deadline, operation: "run \(program)")) ?? ""
        }
    }

    /// Reads the tables, with one process for each family. Tables of iptables-nft are read only when they have changed.
    func save(
        _ variant: IPTablesVariant, _ families: [AddressFamily], in handle: NamespaceHandle?
    ) async throws(RuleError) -> FoundTables {
        let moment = variant.kind == .nft ? await generation?.current() : nil
        var located = FoundTables(variant: variant, tables: [:], moment: moment)
        for family in families {
            let tool = IPTablesTool(family: family, variant: variant, namespace: handle, deadline: deadline)
            if let known = listings.value(of: tool.saver, at: moment) {
                located.tables[family] = known
            } else if let noted = generation?.noted(tool.saver, at: moment) {
                let saved = SavedTables(noted)
                listings.remember(saved, of: tool.saver, since: moment)
                located.tables[family] = saved
            } else {
                let saved = try await tool.save()
                note(saved, tool, since: moment)
                located.tables[family] = saved
            }
        }
        return located
    }

    /// Remembers tables that were read when the rules were of this moment or a later one.
    private func note(_ saved: SavedTables, _ tool: IPTablesTool, since moment: RuleMoment?) {
        guard let moment else { return }
        listings.remember(saved, of: tool.saver, since: moment)
        generation?.note(saved.text, of: tool.saver, since: moment)
    }

    /// The tables after an edit that was written in one transaction for each table that it changes. They are noted as they
    /// are now, if nobody else's transaction came between.
    func tables(_ found: FoundTables, after edit: TargetEdit, in handle: NamespaceHandle?) async -> FoundTables {
        var tables = found
        var transactions = 0
        for family in families {
            guard let saved = found.tables[family], !saved.editing(edit, family: family).isEmpty else { continue }
            transactions += 1
            tables.tables[family]?.note(edit, family)
        }
        tables.moment = nil
        if let before = found.moment, let now = await generation?.current(), now.follows(before, by: transactions) {
            tables.moment = now
            for (family, saved) in tables.tables {
                let tool = IPTablesTool(
                    family: family, variant: tables.variant, namespace: handle, deadline: deadline)
                note(saved, tool, since: now)
            }
        }
        return tables
    }

    func mayHaveTables(_ variant: IPTablesVariant, in handle: NamespaceHandle?) async throws(RuleError) -> Bool {
        do throws(NetlinkError) {
            return try await DetachedThread.run(in: handle, deadline: deadline) { variant.mayHaveTables }
        } catch {
            throw RuleError(
                error, waitingFor: "the kernel", deadline: deadline, operation: "look for rules of iptables")
        }
    }
}
