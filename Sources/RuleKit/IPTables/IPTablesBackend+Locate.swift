import IPVSKit
import Netlink

/// What was found of ours in the tables, and by which variant of iptables.
///
/// The variant is the one that already holds chains of ours; else the host's own, if it works; else the other. Never
/// both: a packet would meet all rules twice, and what one takes away the other would leave. In the usual case the
/// host's own holds them, and it is asked anyway.
struct Located: Equatable, Sendable {
    var variant: IPTablesVariant
    var tables: [AddressFamily: SavedTables]
    /// Lines that take elements out of sets which would never be written.
    var strays: [String] = []

    /// Whether these families were looked at.
    func holds(_ families: [AddressFamily]) -> Bool { families.allSatisfy { tables[$0] != nil } }

    var isEmpty: Bool { tables.values.allSatisfy(\.isEmpty) }
}

extension IPTablesBackend {
    func locate(_ families: [AddressFamily], in handle: NamespaceHandle?) async throws(RuleError) -> Located {
        let host = await IPTablesVariant.ofHost { program in
            (try? await IPTablesTool.run(
                program, ["--version"], in: nil, deadline: deadline, operation: "run \(program)")) ?? ""
        }
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
            // Where the host's own works, what the other says matters only if it says something.
            guard let saved = try? await save(other, families, in: handle) else { continue }
            if found == nil || !saved.isEmpty { return saved }
        }
        if let found { return found }
        throw failure
            ?? RuleError(
                code: .toolMissing, operation: "read the rules of iptables", reason: "iptables-restore is not in PATH",
                hint: "install the package iptables, and see that PATH holds /usr/sbin")
    }

    /// One process for each family.
    func save(
        _ variant: IPTablesVariant, _ families: [AddressFamily], in handle: NamespaceHandle?
    ) async throws(RuleError) -> Located {
        var located = Located(variant: variant, tables: [:])
        for family in families {
            let tool = IPTablesTool(family: family, variant: variant, namespace: handle, deadline: deadline)
            located.tables[family] = try await tool.save()
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
