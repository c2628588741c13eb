import CNFTables
public import IPVSKit
import Netlink
public import SystemPackage

/// Rules by nftables, in a table of our own, without starting a program.
///
/// The constant part goes by libnftables, in one transaction; elements of sets go as netfilter messages of our own, in
/// another.
public struct NFTablesBackend: RuleBackend {
    /// `nftables`.
    public var name: String { "nftables" }

    private let namespace: NetworkNamespace
    private let wordings: NFTablesWordings
    private let deadline: Duration

    /// For a namespace, by default that of the process.
    ///
    /// - Parameter cache: a folder for what is found out of this version of nftables, so that it need not be found out
    ///   again; nil to keep it in memory alone.
    /// - Parameter deadline: how long one call of libnftables, or of the kernel, is waited for before it fails with
    ///   ``RuleError/Code/deadlineExceeded``.
    public init(in namespace: NetworkNamespace = .current, cache: FilePath? = nil, deadline: Duration = .seconds(30)) {
        self.namespace = namespace
        self.deadline = deadline
        wordings = NFTablesWordings(cache: cache)
    }

    /// Whether the kernel takes the rules: it is asked to check them, and nothing is changed. False only where it lacks
    /// what they take; where it cannot be asked, whoever uses the rules is told why.
    public func isSupported(_ role: RuleRole = .balancer(detour: nil)) async -> Bool {
        let text = NFTablesSkeleton(role).text
        do {
            try await run("check the rules") { () throws(RuleError) in try NFTablesLibrary.check(text) }
            return true
        } catch {
            return error.code != .kernelLacksSupport
        }
    }

    /// What is in the kernel of what is ours.
    public func read(expecting role: RuleRole) async throws(RuleError) -> ObservedRules {
        let operation = "read the nftables rules"
        let found = try await run(operation) { () throws(RuleError) in try NFTablesLibrary.listing() }
        guard let listing = found else { return ObservedRules() }
        let sets = NFTablesSet.allCases.filter { listing.blocks[$0.heading] == NFTablesListing.of($0) }
        let elements = try await NFTablesElements(in: try open(operation), deadline: deadline).read(sets)
        let faults = try await faults(of: listing, role)
        return ObservedRules(skeleton: faults.isEmpty ? .intact : .damaged(faults), elements: elements)
    }

    /// Makes changes, the constant part first: with empty sets it does nothing. Each of the two is one transaction. No
    /// rule but ours can use what is in our table, so that nothing of it has to stay.
    @discardableResult
    public func apply(_ changes: [RuleChange]) async throws(RuleError) -> [RuleRemnant] {
        let operation = "write the nftables rules"
        var removed: [SetElement] = []
        var added: [SetElement] = []
        for change in changes {
            switch change {
            case .install(let role, _):
                try await run(operation) { () throws(RuleError) in try Self.install(role) }
            case .uninstall:
                // Made first where it has gone meanwhile.
                let text = "table \(OwnRules.table)\ndelete table \(OwnRules.table)\n"
                _ = try await run(operation) { () throws(RuleError) in
                    try NFTablesLibrary.run(text, operation: "delete the nftables rules")
                }
                return []
            case .put(let element, let replaced):
                removed += replaced
                added.append(element)
            case .remove(let element): removed.append(element)
            }
        }
        if !(removed.isEmpty && added.isEmpty) {
            let elements = NFTablesElements(in: try open(operation), deadline: deadline)
            try await elements.commit(removing: removed, putting: added)
        }
        return []
    }

    private static func install(_ role: RuleRole) throws(RuleError) {
        let skeleton = NFTablesSkeleton(role)
        let wanted = skeleton.text
        let found = try NFTablesLibrary.listing()
        if found?.isDormant == true {
            // Not together with what follows: Linux refuses to wake a table whose chains change (EINVAL).
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

    /// The first chain or rule that the kernel does not take by itself: of an expression that it lacks libnftables says
    /// no more than that it is somewhere in the table. Nothing is changed.
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

    /// How the table differs from what it should be. Versions of nft may write the same rules otherwise: so where the
    /// text differs, it is compared with what this one makes of ours in a namespace that nobody sees.
    private func faults(of listing: NFTablesListing, _ role: RuleRole) async throws(RuleError) -> [RuleFault] {
        let text = NFTablesSkeleton(role).text
        let faults = listing.faults(against: NFTablesListing(text))
        guard !faults.isEmpty, let same = await wordings.listing(of: text) else { return faults }
        return listing.faults(against: same)
    }

    /// On a thread in the namespace: libnftables blocks, and works in the one that it is called in.
    private func run<Value: Sendable>(
        _ operation: String, _ body: @escaping @Sendable () throws(RuleError) -> Value
    ) async throws(RuleError) -> Value {
        // A thread that is there already need not enter, which takes CAP_SYS_ADMIN.
        let handle = namespace.isCurrent ? nil : try open(operation)
        let result: Result<Value, RuleError>
        do throws(NetlinkError) {
            result = try await DetachedThread.run(in: handle, deadline: deadline) {
                Result { () throws(RuleError) in try body() }
            }
        } catch {
            throw RuleError(error, waitingFor: "libnftables", deadline: deadline, operation: operation)
        }
        return try result.get()
    }

    private func open(_ operation: String) throws(RuleError) -> NamespaceHandle {
        do throws(IPVSError) {
            return try namespace.open()
        } catch {
            throw RuleError(code: .refused, operation: operation, reason: "\(error)")
        }
    }
}
