public import IPVSKit
import RuleKit

/// The mesh on one node: what is asked for, the kernel, and the passes that make the second follow the first.
///
/// Level-triggered: each pass reads the kernel and compares. Nothing depends on what an earlier pass did or left undone,
/// so a pass that was killed is finished by the next, whichever that is.
public struct Mesh: Sendable {
    let store: any SpecStore
    let ledgers: any LedgerStore
    let kernel: any MeshKernel
    let compiler: Compiler
    /// What is to carry the rules; nil for what carries them already, else what the kernel is best served by.
    private let tool: RuleTool?
    private let onWait: @Sendable () -> Void

    var observer: Observer { Observer(kernel: kernel, compiler: compiler) }

    /// The mesh on the node whose network namespace the process is in.
    ///
    /// - Parameters:
    ///   - store: what is asked for.
    ///   - ledger: what this node has put into its kernel; writers lock its folder for as long as a pass takes.
    ///   - tool: what carries the rules; nil for what carries them already, else what the kernel is best served by.
    ///   - onWait: called where another process holds that lock for longer than a second.
    /// - Throws: where the namespace of the process cannot be opened.
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

    /// What would change in the kernel, and nothing is.
    public func plan() async throws -> Plan {
        try await locked(.shared) { try await look().plan }
    }

    /// What would change in the kernel, and what else on this node keeps clients from what is published. Nothing is
    /// changed.
    public func planAndWarnings() async throws -> (plan: Plan, warnings: [String]) {
        try await locked(.shared) {
            let look = try await look()
            guard look.request.publishesAnything else { return (look.plan, []) }
            let survey = await HostSurvey(on: look.found.node)
            return (look.plan, survey.warnings(look.request, in: look.outcome.datapath, look.tool))
        }
    }

    /// What is asked for on this node, and what the kernel holds of it, with counters.
    public func observe() async throws -> (view: MeshView, plan: Plan) {
        try await locked(.shared) {
            let look = try await look(withCounters: true)
            return (MeshView(spec: look.request.spec, ledger: look.request.ledger, observed: look.found), look.plan)
        }
    }

    /// What there is, what there should be, and what leads from the one to the other.
    private struct Look {
        var request: MeshRequest
        var tool: RuleTool
        var found: ObservedDatapath
        var outcome: Pass.Outcome

        var plan: Plan { outcome.plan }
    }

    /// With the lock held.
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

    /// One pass: makes the kernel hold what is asked for.
    ///
    /// - Parameter retry: also tries what this host refused before.
    @discardableResult
    public func reconcile(retry: Bool = false) async throws -> MeshChange {
        try await change(purpose: .converge, retrying: retry) { _, _ in }
    }

    /// Changes what is asked for, and the kernel with it. Where either fails, both are as they were.
    ///
    /// - Parameter edit: given the spec, and what there is.
    public func change(
        _ edit: @Sendable @escaping (inout MeshSpec, MeshView) async throws -> Void
    ) async throws -> MeshChange {
        try await change(purpose: .converge, edit)
    }

    /// Takes down everything that was ever put up, puts settings back, and forgets what was asked for.
    public func reset() async throws -> MeshChange {
        try await change(purpose: .reset) { spec, _ in
            for name in spec.services.keys { try spec.removeService(name) }
        }
    }

    /// - Parameter retrying: whether what this host refused before is tried once more.
    private func change(
        purpose: Pass.Purpose, retrying: Bool = false,
        _ edit: @Sendable @escaping (inout MeshSpec, MeshView) async throws -> Void
    ) async throws -> MeshChange {
        try await locked(.exclusive) {
            let before = try await store.load()
            var ledger = try await self.ledger(for: before)
            // Forgotten before anything is looked at: rules are compared with those that a place takes only where it is
            // not refused.
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
            // A pass that has begun is finished, or taken back, whatever becomes of the task that asked for it.
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

    /// This node's ledger, which is for the namespace that this is, and this boot.
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
        // Of another boot, or of a namespace that has ended: the kernel holds nothing of what it says.
        var fresh = Ledger(node: ledger.node, home: here)
        fresh.generation = ledger.generation
        return fresh
    }

    /// Two folders that took the same rules for theirs would take each other's ports down.
    private func refuseRulesOfOthers(_ found: ObservedDatapath, _ ledger: Ledger) throws(RuleOwnerError) {
        guard let owner = found[.node].owner, owner.id != ledger.id else { return }
        let ours = RuleOwner(id: ledger.id, folder: ledgers.folder)
        // The folder's documents were lost, or put back from before.
        guard owner.folder != ours.folder else { return }
        throw RuleOwnerError(owner: owner, folder: ledgers.folder)
    }

    private func tool(for ledger: Ledger) async -> RuleTool {
        if let tool = tool ?? ledger[.node].rules { return tool }
        return await kernel.bestTool()
    }
}
