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
    private let deadline: Duration
    private let generation: RulesetGeneration?
    private let lastLook = Remembered<RuleRole, ObservedRules>()
    /// When the rules were last known to be unchanged.
    private let intact = Locked<(moment: RuleMoment, note: IntactNote)?>(nil)

    /// For a namespace, by default that of the process.
    ///
    /// - Parameter generation: the generation of the rules in that namespace, for a backend that reads them again and again;
    ///   it then reads them only when they have changed. Nil to read them each time.
    /// - Parameter cache: a folder for what is found out of this version of nftables, so that it need not be found out
    ///   again; nil to keep it in memory alone.
    /// - Parameter deadline: how long one call of libnftables, or of the kernel, is waited for before it fails with
    ///   ``RuleError/Code/deadlineExceeded``.
    public init(
        in namespace: NetworkNamespace = .current, cache: FilePath? = nil, generation: RulesetGeneration? = nil,
        deadline: Duration = .seconds(30)
    ) {
        self.generation = generation
        self.namespace = namespace
        self.deadline = deadline
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
        let operation = "read the nftables rules"
        let moment = await generation?.current()
        if let known = lastLook.value(of: role, at: moment) { return known }
        let skeleton = NFTablesSkeleton(role)
        var rules: ObservedRules
        if let note = noted(skeleton, at: moment) {
            rules = ObservedRules(skeleton: .intact, owner: note.owner)
            rules.elements = try await elements(of: skeleton.sets, operation)
        } else {
            let found = try await run(operation) { () throws(RuleError) in try NFTablesLibrary.listing() }
            guard let listing = found else { return ObservedRules() }
            // A set that the role does not have goes with its elements when the rules are installed.
            let sets = skeleton.sets.filter { listing.blocks[$0.heading] == NFTablesListing.of($0) }
            let faults = try await faults(of: listing, role)
            rules = ObservedRules(skeleton: faults.isEmpty ? .intact : .damaged(faults), owner: listing.owner)
            rules.elements = try await elements(of: sets, operation)
            if faults.isEmpty { note(IntactNote(owner: listing.owner, rules: skeleton.text), since: moment) }
        }
        lastLook.remember(rules, of: role, since: moment)
        return rules
    }

    private func elements(of sets: [NFTablesSet], _ operation: String) async throws(RuleError) -> Set<SetElement> {
        try await contents(operation).read(sets)
    }

    /// The elements of our sets, by the socket that asks for the generation, if there is one.
    private func contents(_ operation: String) throws(RuleError) -> NFTablesElements {
        if let generation { return NFTablesElements(generation.client.netlink, deadline: deadline) }
        return NFTablesElements(
            NetlinkClient(.netfilter, namespace: try namespace.open(for: operation)), deadline: deadline)
    }

    /// Makes the changes, in one transaction for the constant rules and another for the elements. The constant rules
    /// come first, because they have no effect while the sets are empty. No other table's rules can use the sets of our
    /// table, so that nothing is ever left behind.
    @discardableResult
    public func apply(_ changes: [RuleChange]) async throws(RuleError) -> [RuleRemnant] {
        let operation = "write the nftables rules"
        var removed: [SetElement] = []
        var added: [SetElement] = []
        for change in changes {
            switch change {
            case .install(let role, _):
                try await run(operation) { () throws(RuleError) in try Self.install(role) }
            case .claim(let owner):
                try await run(operation) { () throws(RuleError) in try Self.claim(owner) }
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
            do throws(RuleError) {
                try await contents(operation).commit(removing: removed, putting: added)
            } catch {
                // The table is not as it was noted, if it does not take them.
                forget()
                throw error
            }
            await noteThatRulesStayed()
        }
        return []
    }

    /// What a note says of the table at a moment; nil if it does not say that these rules are there, unchanged.
    private func noted(_ skeleton: NFTablesSkeleton, at moment: RuleMoment?) -> IntactNote? {
        guard let note = generation?.noted(IntactNote.subject, at: moment).map(IntactNote.init(text:)),
            note.rules == skeleton.text
        else { return nil }
        intact.withLock { $0 = moment.map { ($0, note) } }
        return note
    }

    private func note(_ note: IntactNote, since moment: RuleMoment?) {
        generation?.note(note.text, of: IntactNote.subject, since: moment)
        intact.withLock { $0 = moment.map { ($0, note) } }
    }

    private func forget() {
        intact.withLock { $0 = nil }
        lastLook.forget()
        generation?.forget()
    }

    /// Carries the note over a transaction of ours that changed elements only, if it was the only one.
    private func noteThatRulesStayed() async {
        guard let last = intact.withLock(\.self), let now = await generation?.current(),
            now.follows(last.moment, by: 1)
        else { return }
        note(last.note, since: now)
    }

    /// Whose our table says it is.
    public func owner() async throws(RuleError) -> RuleOwner? {
        try await run("read the nftables rules") { () throws(RuleError) in try NFTablesLibrary.listing()?.owner }
    }

    private static func claim(_ owner: RuleOwner) throws(RuleError) {
        let chain = "\(OwnRules.table) \(NFTablesListing.ownerChain)"
        _ = try NFTablesLibrary.run(
            """
            add table \(OwnRules.table)
            add chain \(chain)
            flush chain \(chain)
            add rule \(chain) return comment "\(owner.text)"

            """, operation: "write into the nftables table whose it is")
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

    /// Runs the body on a thread in the namespace: libnftables blocks, and works in the namespace of its caller.
    func run<Value: Sendable>(
        _ operation: String, _ body: @escaping @Sendable () throws(RuleError) -> Value
    ) async throws(RuleError) -> Value {
        // A thread that is there already need not enter, which takes CAP_SYS_ADMIN.
        let handle = namespace.isCurrent ? nil : try namespace.open(for: operation)
        let result: Result<Value, RuleError>
        do throws(NetlinkError) {
            result = try await DetachedThread.run(in: handle, deadline: deadline) {
                Result { () throws(RuleError) in try body() }
            }
        } catch {
            throw RuleError(error, waitingFor: "libnftables", deadline: deadline, operation: operation)
        }
        do throws(RuleError) {
            return try result.get()
        } catch {
            guard error.code != .kernelLacksSupport, await isWithoutTables(handle) else { throw error }
            // libnftables reports a missing nf_tables by whichever error it meets first.
            throw RuleError(
                code: .kernelLacksSupport, operation: error.operation, reason: error.reason,
                hint: NFTablesLibrary.kernelHint)
        }
    }

    /// Whether the kernel has no nf_tables and cannot load it. It is asked for the generation of its ruleset, which
    /// every nf_tables has.
    private func isWithoutTables(_ handle: NamespaceHandle?) async -> Bool {
        guard let handle = try? handle ?? namespace.open() else { return false }
        do throws(NetlinkError) {
            try await NetfilterClient(in: handle, deadline: deadline).ask(RulesetGeneration.question, family: 0)
            return false
        } catch {
            return error.errno == .invalidArgument || error.errno == .protocolNotSupported
        }
    }
}
