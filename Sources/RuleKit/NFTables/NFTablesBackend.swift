import CNFTables
public import IPVSKit
import Netlink
public import SystemPackage

/// Writes rules by nftables, into a table of our own, without starting a program.
///
/// libnftables writes the constant rules, in one transaction; the elements of sets are written as netfilter messages of
/// our own, in another.
public struct NFTablesBackend: RuleBackend {
    /// `nftables`.
    public var name: String { "nftables" }

    private let namespace: NetworkNamespace
    private let wordings: NFTablesWordings

    /// For a namespace, by default that of the process.
    ///
    /// - Parameter cache: a folder that keeps how this version of nftables lists our rules, so that the next process
    ///   need not find it out again; nil to keep it in memory only.
    public init(in namespace: NetworkNamespace = .current, cache: FilePath? = nil) {
        self.namespace = namespace
        wordings = NFTablesWordings(cache: cache)
    }

    /// Whether the kernel supports the rules: it is asked to check them, which changes nothing. False only if the
    /// kernel lacks a feature; if the check fails for another reason, the result is true, and the operation that uses
    /// the rules reports the reason.
    public func isSupported(_ role: RuleRole = .balancer(detour: nil)) async -> Bool {
        let text = NFTablesSkeleton(role).text
        do {
            try await run("check the rules") { () throws(RuleError) in try NFTablesLibrary.check(text) }
            return true
        } catch {
            return error.code != .kernelLacksSupport
        }
    }

    /// Reads our rules and elements from the kernel.
    public func read(expecting role: RuleRole) async throws(RuleError) -> ObservedRules {
        let found = try await run("read the nftables rules") { () throws(RuleError) in
            guard let listing = try NFTablesLibrary.listing() else { return nil as (NFTablesListing, Set<SetElement>)? }
            let sets = NFTablesSet.allCases.filter { set in
                listing.blocks[set.heading] == NFTablesListing.of(set)
            }
            var elements = try NFTablesElements()
            return (listing, try elements.read(sets))
        }
        guard let (listing, elements) = found else { return ObservedRules() }
        let faults = try await faults(of: listing, role)
        return ObservedRules(skeleton: faults.isEmpty ? .intact : .damaged(faults), elements: elements)
    }

    /// Makes the changes, in one transaction for the constant rules and another for the elements. The constant rules
    /// come first, because they have no effect while the sets are empty. No other table's rules can use the sets of our
    /// table, so that nothing is ever left behind.
    @discardableResult
    public func apply(_ changes: [RuleChange]) async throws(RuleError) -> [RuleRemnant] {
        try await run("write the nftables rules") { () throws(RuleError) in
            var removed: [SetElement] = []
            var added: [SetElement] = []
            for change in changes {
                switch change {
                case .install(let role, _): try Self.install(role)
                case .uninstall:
                    // The table is created first, so that deleting it succeeds even if it has gone meanwhile.
                    _ = try NFTablesLibrary.run(
                        "table \(OwnRules.table)\ndelete table \(OwnRules.table)\n",
                        operation: "delete the nftables rules")
                    return
                case .put(let element, let replaced):
                    removed += replaced
                    added.append(element)
                case .remove(let element): removed.append(element)
                }
            }
            guard !(removed.isEmpty && added.isEmpty) else { return }
            var elements = try NFTablesElements()
            try elements.commit(removing: removed, putting: added)
        }
        return []
    }

    private static func install(_ role: RuleRole) throws(RuleError) {
        let skeleton = NFTablesSkeleton(role)
        let wanted = skeleton.text
        let found = try NFTablesLibrary.listing()
        if found?.isDormant == true {
            // This is a transaction of its own: Linux refuses to wake a table in a transaction that changes its chains
            // (EINVAL).
            _ = try NFTablesLibrary.run(
                "add table \(OwnRules.table)\n", operation: "wake the nftables table")
        }
        let obstacles = found?.removing(allBut: NFTablesListing(wanted)) ?? []
        do throws(RuleError) {
            _ = try NFTablesLibrary.run(
                (obstacles + [wanted]).joined(separator: "\n"), operation: "install the nftables rules")
        } catch {
            var error = error
            if error.code == .kernelLacksSupport, let part = refusedPart(of: skeleton) {
                error.reason += ", at \(part)"
            }
            throw error
        }
    }

    /// The first chain or rule that the kernel refuses when it is checked alone. For an expression that the kernel
    /// lacks, libnftables names only the table. Nothing is changed.
    private static func refusedPart(of skeleton: NFTablesSkeleton) -> String? {
        var tried = skeleton
        for index in tried.chains.indices { tried.chains[index].rules = [] }
        let bare = tried
        if (try? NFTablesLibrary.check(bare.text)) == nil { return "its chains" }
        for (index, chain) in skeleton.chains.enumerated() {
            for rule in chain.rules {
                tried = bare
                tried.chains[index].rules = [rule]
                if (try? NFTablesLibrary.check(tried.text)) == nil { return "chain \(chain.name): \(rule)" }
            }
        }
        return nil
    }

    /// The differences between the table and the wanted one. Versions of nft list the same rules in different words.
    /// Where the text differs, it is therefore compared with the listing that this version makes of our rules in a
    /// scratch namespace.
    private func faults(of listing: NFTablesListing, _ role: RuleRole) async throws(RuleError) -> [RuleFault] {
        let text = NFTablesSkeleton(role).text
        let faults = listing.faults(against: NFTablesListing(text))
        guard !faults.isEmpty, let same = await wordings.listing(of: text) else { return faults }
        return listing.faults(against: same)
    }

    /// Runs the body on a thread in the namespace: libnftables and netfilter sockets block, and work in the namespace
    /// in which they were opened.
    private func run<Value: Sendable>(
        _ operation: String, _ body: @escaping @Sendable () throws(RuleError) -> Value
    ) async throws(RuleError) -> Value {
        do {
            // A thread that is in the namespace already need not enter it, which would take CAP_SYS_ADMIN.
            return try await DetachedThread.run(in: namespace.isCurrent ? nil : try namespace.open(), body)
        } catch let error as RuleError {
            throw error
        } catch {
            throw RuleError(code: .refused, operation: operation, reason: "\(error)")
        }
    }
}
