public import IPVSKit
import RuleKit

/// The mesh on one node: the spec, the kernel, and the passes that make the kernel follow the spec.
///
/// The passes are level-triggered: each reads the kernel and compares. Nothing depends on what an earlier pass did or
/// left undone, so any later pass finishes the work of a pass that was killed.
public struct Mesh: Sendable {
    let store: any SpecStore
    let ledgers: any LedgerStore
    let kernel: any MeshKernel
    let compiler: Compiler
    /// The tool that writes the rules. Nil keeps the tool in use, or chooses the one that suits the kernel best.
    private let tool: RuleTool?
    private let onWait: @Sendable () -> Void

    var observer: Observer { Observer(kernel: kernel, compiler: compiler) }

    /// The mesh on the node whose network namespace the process is in.
    ///
    /// - Parameters:
    ///   - store: keeps the spec.
    ///   - ledger: keeps the record of what this node has put into its kernel. A pass that writes locks the ledger's
    ///     folder until it ends.
    ///   - tool: the tool that writes the rules. Nil keeps the tool in use, or chooses the one that suits the kernel
    ///     best.
    ///   - onWait: called once if another process holds the lock for longer than a second.
    /// - Throws: an error if the namespace of the process cannot be opened.
    public init(
        store: any SpecStore, ledger: LedgerFile, ipvs: IPVS, tool: RuleTool? = nil,
        onWait: @escaping @Sendable () -> Void = {}
    ) throws {
        self.init(
            store: store, ledger: ledger, kernel: try LiveKernel(ipvs: ipvs, cache: ledger.directory), tool: tool,
            onWait: onWait)
    }

    package init(
        store: any SpecStore, ledger: any LedgerStore, kernel: any MeshKernel, compiler: Compiler = Compiler(),
        tool: RuleTool? = nil, onWait: @escaping @Sendable () -> Void = {}
    ) {
        self.store = store
        ledgers = ledger
        self.kernel = kernel
        self.compiler = compiler
        self.tool = tool
        self.onWait = onWait
    }

    // MARK: Looking

    /// The changes that a pass would make to the kernel. Changes nothing.
    public func plan() async throws -> Plan {
        try await locked(.shared) { try await look().plan }
    }

    /// The changes that a pass would make to the kernel, and warnings of everything else on this node that keeps
    /// clients from published ports. Changes nothing.
    public func planAndWarnings() async throws -> (plan: Plan, warnings: [String]) {
        try await locked(.shared) {
            let look = try await look()
            guard look.request.publishesAnything else { return (look.plan, []) }
            let survey = await HostSurvey(on: look.found.node)
            return (look.plan, survey.warnings(look.request, in: look.outcome.datapath, look.tool))
        }
    }

    /// The spec, this node's ledger, and what the kernel holds, with counters; also the changes that a pass would make.
    public func observe() async throws -> (view: MeshView, plan: Plan) {
        try await locked(.shared) {
            let look = try await look(withCounters: true)
            return (MeshView(spec: look.request.spec, ledger: look.request.ledger, observed: look.found), look.plan)
        }
    }

    /// What was observed, and the outcome of a pass over it that is not carried out.
    private struct Look {
        var request: MeshRequest
        var tool: RuleTool
        var found: ObservedDatapath
        var outcome: Pass.Outcome

        var plan: Plan { outcome.plan }
    }

    /// The caller holds the lock.
    private func look(withCounters: Bool = false) async throws -> Look {
        let spec = try await store.load()
        let ledger = try await ledger(for: spec)
        let tool = await tool(for: ledger)
        let request = MeshRequest(spec: spec, ledger: ledger)
        let found = try await observer.observe(request, tool: tool, .init(withCounters: withCounters))
        try refuseRulesOfOthers(found, ledger)
        var outcome = Pass.run(
            spec: spec, ledger: ledger, observed: found, tool: tool, compiler: compiler, folder: ledgers.folder,
            now: kernel.now())
        outcome.plan.notes = outcome.claims.refusalNotes + outcome.plan.notes
        return Look(request: request, tool: tool, found: found, outcome: outcome)
    }

    // MARK: Changing

    /// Runs one pass, which makes the kernel hold what the spec asks for.
    ///
    /// - Parameter retry: also tries the places again that this host refused before.
    @discardableResult
    public func reconcile(retry: Bool = false) async throws -> MeshChange {
        try await change(purpose: .converge, retrying: retry) { _, _ in }
    }

    /// Edits the spec and changes the kernel accordingly. If either fails, both are put back as they were.
    ///
    /// - Parameter edit: changes the spec, knowing what was observed.
    public func change(
        _ edit: @Sendable @escaping (inout MeshSpec, MeshView) async throws -> Void
    ) async throws -> MeshChange {
        try await change(purpose: .converge, edit)
    }

    /// Removes everything that the mesh has put into the kernel, restores settings, and removes all services from the
    /// spec.
    public func reset() async throws -> MeshChange {
        try await change(purpose: .reset) { spec, _ in
            for name in spec.services.keys { try spec.removeService(name) }
        }
    }

    /// - Parameter retrying: whether the places are tried again that this host refused before.
    private func change(
        purpose: Pass.Purpose, retrying: Bool = false,
        _ edit: @Sendable @escaping (inout MeshSpec, MeshView) async throws -> Void
    ) async throws -> MeshChange {
        try await locked(.exclusive) {
            let before = try await store.load()
            var ledger = try await self.ledger(for: before)
            // Refusals are forgotten before anything is observed: the observer compares the rules with those of a node
            // that has all places which are not refused.
            if retrying { try forgetRefusals(&ledger) }
            let tool = await tool(for: ledger)
            let options = Observer.Options(forRestoring: purpose == .reset)
            var found = try await observer.observe(MeshRequest(spec: before, ledger: ledger), tool: tool, options)
            try refuseRulesOfOthers(found, ledger)
            var spec = before
            try await edit(&spec, MeshView(spec: before, ledger: ledger, observed: found))
            spec.generation = before.generation
            if spec != before {
                try await observer.complete(&found, for: MeshRequest(spec: spec, ledger: ledger), tool: tool, options)
            }
            let run = PassRun(mesh: self, before: before, spec: spec, ledger: ledger, tool: tool, purpose: purpose)
            // A pass that has begun is finished or taken back even if the task that asked for it is cancelled.
            let observed = found
            return try await Task { try await run.carryOut(observed) }.value
        }
    }

    private func forgetRefusals(_ ledger: inout Ledger) throws {
        var forgetful = ledger
        forgetful.forgetRefusals()
        guard forgetful != ledger else { return }
        try ledgers.save(forgetful, replacing: ledger.generation)
        forgetful.generation += 1
        ledger = forgetful
    }

    // MARK: What both take

    private func locked<Result: Sendable>(
        _ mode: LockFile.Mode, _ body: () async throws -> Result
    ) async throws -> Result {
        try await ledgers.locked(mode, onWait: onWait, body)
    }

    /// This node's ledger, if it belongs to the present namespace and boot. A new one, if it belongs to another boot or
    /// to a namespace that has ended.
    private func ledger(for spec: MeshSpec) async throws -> Ledger {
        let here = try kernel.identity()
        guard var ledger = try ledgers.load() else { return Ledger(node: Ledger.hostName(), home: here) }
        guard let home = ledger.home, home != here else {
            ledger.home = here
            return ledger
        }
        if let place = await kernel.whereabouts(of: home) {
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

    private func tool(for ledger: Ledger) async -> RuleTool {
        if let tool = tool ?? ledger[.node].rules { return tool }
        // If the documents were lost, the rules in the kernel say which tool wrote them.
        for tool in RuleTool.allCases {
            let owner = try? await kernel.open(.node).rules(by: tool).owner()
            if let owner = owner ?? nil, owner.folder == RuleOwner(id: owner.id, folder: ledgers.folder).folder {
                return tool
            }
        }
        return await kernel.bestTool()
    }
}
