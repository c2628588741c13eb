import IPVSKit
import Netlink

/// Our chains and jumps in the tables, and the iptables variant that holds them.
///
/// The variant is the one that already holds chains of ours; else the host's own, if it works; else the other. Rules
/// are never installed in both variants: a packet would meet all rules twice, and removing the rules of one variant
/// would leave those of the other. Usually the host's own variant holds them, and it is read first.
struct Located: Equatable, Sendable {
    var variant: IPTablesVariant
    var tables: [AddressFamily: SavedTables]
    /// Lines for libipset that remove elements that are not ours from our sets.
    var strays: [String] = []

    /// Whether the tables of these families were read.
    func holds(_ families: [AddressFamily]) -> Bool { families.allSatisfy { tables[$0] != nil } }

    var isEmpty: Bool { tables.values.allSatisfy(\.isEmpty) }

    /// The chains that stay when all goes but a skeleton, since rules of others lead there.
    func remnants(beside skeleton: (AddressFamily) -> Skeleton?) -> [RuleRemnant] {
        tables.sorted { $0.key < $1.key }.flatMap { family, saved in
            let tool = IPTablesTool.name(family)
            return saved.held(beside: skeleton(family)).map { table, chain, rules in
                RuleRemnant(
                    subject: "\(tool) \(table) chain \(chain)",
                    users: rules.map { "\(tool)\(variant.infix) \(table): \($0)" })
            }
        }
    }
}

extension IPTablesBackend {
    func locate(_ families: [AddressFamily], in handle: NamespaceHandle?) async throws(RuleError) -> Located {
        let host = await hostVariant()
        var found: Located?
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
    ) async throws(RuleError) -> Located {
        var located = Located(variant: variant, tables: [:])
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
