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
        var located = FoundTables(variant: variant, tables: [:])
        let generation = variant.kind == .nft ? await generation?.current() : nil
        for family in families {
            let tool = IPTablesTool(family: family, variant: variant, namespace: handle, deadline: deadline)
            if let known = listings.value(of: tool.saver, at: generation) {
                located.tables[family] = known
            } else {
                let saved = try await tool.save()
                listings.remember(saved, of: tool.saver, since: generation)
                located.tables[family] = saved
            }
        }
        return located
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
