import RuleKit

/// What a pass and a look at the mesh begin with.
extension Mesh {
    /// What a pass begins with: both documents, the tool that writes the rules, and what the kernel holds.
    struct Situation {
        var spec: MeshSpec
        var ledger: Ledger
        var tool: RuleTool
        var found: ObservedDatapath
        /// How long it took to observe the kernel.
        var readingTime: Duration

        /// Whether the mesh was lost: no spec was ever saved in this folder, and rules in the kernel say that they belong to
        /// it.
        var isMeshLost: Bool { spec.generation == 0 && found[.node].owner != nil }
    }

    /// Finds out what there is. The caller holds the lock.
    ///
    /// - Parameter prepare: changes the ledger before anything is observed.
    func situation(
        _ options: Observer.Options = .init(),
        preparing prepare: (_ ledger: inout Ledger) async throws -> Void = { _ in }
    ) async throws -> Situation {
        let spec = try await store.load()
        var ledger = try await currentLedger()
        try await prepare(&ledger)
        let tool = try await tool(for: ledger)
        let start = ContinuousClock.now
        let found = try await observer.observe(request(spec, ledger), tool: tool, options)
        let readingTime = ContinuousClock.now - start
        try refuseRulesOfOthers(found, ledger)
        return Situation(spec: spec, ledger: ledger, tool: tool, found: found, readingTime: readingTime)
    }

    func request(_ spec: MeshSpec, _ ledger: Ledger) -> MeshRequest {
        MeshRequest(spec: spec, ledger: ledger, folder: ledgers.folder)
    }

    func locked<Result: Sendable>(
        _ mode: LockFile.Mode, _ body: () async throws -> Result
    ) async throws -> Result {
        try await ledgers.locked(mode, onWait: onWait, body)
    }

    /// This node's ledger under the name that the node is to have.
    func currentLedger() async throws -> Ledger {
        if let nodeName { try MeshSpec.validate(nodeName: nodeName) }
        var ledger = try await ledgerOfThisBoot()
        guard let nodeName, nodeName != ledger.node else { return ledger }
        guard ledger.places.isEmpty else {
            throw InputError(
                "the state in \(ledgers.folder) is that of node \(ledger.node), which has put its ports into the kernel: "
                    + "leave the other name \(nodeName) out, choose another folder with --state-dir, or run "
                    + "`meshctl reset` first, which forgets the mesh")
        }
        ledger.node = nodeName
        return ledger
    }

    /// This node's ledger, if it belongs to the present namespace and boot. A new one, if it belongs to another boot or
    /// to a namespace that has ended.
    private func ledgerOfThisBoot() async throws -> Ledger {
        let here = try kernel.identity()
        guard var ledger = try ledgers.load() else { return Ledger(node: Ledger.hostName(), home: here) }
        guard let home = ledger.home, home != here else {
            ledger.home = here
            return ledger
        }
        if let place = try await kernel.whereabouts(of: home) {
            throw LedgerError(file: ledgers.file, home: home, whereabouts: place, here: here)
        }
        // The ledger is of another boot, or of a namespace that has ended, so nothing that it records is in this
        // kernel.
        var fresh = Ledger(node: ledger.node, home: here)
        fresh.generation = ledger.generation
        return fresh
    }

    /// Refuses to work with rules of another state folder: two folders that both took the same rules for their own
    /// would take down each other's ports.
    private func refuseRulesOfOthers(_ found: ObservedDatapath, _ ledger: Ledger) throws(RuleOwnerError) {
        guard let owner = found[.node].owner, owner.id != ledger.id else { return }
        let ours = RuleOwner(id: ledger.id, folder: ledgers.folder)
        // The rules name this folder but another ledger: the folder's documents were lost, or restored from a backup.
        guard owner.folder != ours.folder else { return }
        throw RuleOwnerError(owner: owner, folder: ledgers.folder)
    }

    private func tool(for ledger: Ledger) async throws -> RuleTool {
        if let tool = tool ?? ledger[.node].rules { return tool }
        // If the documents were lost, the rules in the kernel say which tool wrote them.
        let here = try await kernel.open(.node)
        for tool in RuleTool.allCases {
            if let owner = try await here.owner(by: tool),
                owner.folder == RuleOwner(id: owner.id, folder: ledgers.folder).folder
            {
                return tool
            }
        }
        return await kernel.bestTool()
    }
}
