/// What a pass would do, and what there is. Nothing here changes anything.
extension Mesh {
    /// The changes that a pass would make to the kernel. Changes nothing.
    public func plan() async throws -> Plan {
        try await locked(.shared) { try await look().plan }
    }

    /// The changes that a pass would make to the kernel, and warnings of everything else on this node that keeps
    /// clients from published ports. Changes nothing.
    public func planAndWarnings() async throws -> (plan: Plan, warnings: [String]) {
        try await locked(.shared) {
            let look = try await look()
            let here = look.situation
            let request = request(here.spec, here.ledger)
            guard request.publishesAnything else { return (look.plan, []) }
            let survey = await HostSurvey(on: here.found)
            return (look.plan, await survey.warnings(request, in: look.outcome.datapath, here.tool))
        }
    }

    /// The spec, this node's ledger, and what the kernel holds, with counters; also the changes that a pass would make.
    public func observe() async throws -> (view: MeshView, plan: Plan) {
        try await locked(.shared) {
            let look = try await look(withCounters: true)
            let here = look.situation
            return (MeshView(spec: here.spec, ledger: here.ledger, observed: here.found), look.plan)
        }
    }

    /// What an edit would change in the mesh and in the kernel. Changes nothing.
    public func preview(
        _ edit: (inout MeshSpec, MeshView) async throws -> Void
    ) async throws -> ChangePreview {
        try await locked(.shared) {
            var here = try await situation()
            let before = here.spec
            let spec = try await edited(before, here.ledger, here.found, by: edit)
            try spec.refuseAlikePorts(besides: before)
            try await look(again: &here.found, for: spec, insteadOf: before, here.ledger, here.tool)
            here.spec = spec
            let outcome = outcome(in: here, insteadOf: before)
            return ChangePreview(differences: spec.differences(from: before), plan: outcome.plan)
        }
    }

    /// What there is, and the outcome of a pass over it that is not carried out.
    private struct Look {
        var situation: Situation
        var outcome: Pass.Outcome

        var plan: Plan { outcome.plan }
    }

    /// The caller holds the lock.
    private func look(withCounters: Bool = false) async throws -> Look {
        let here = try await situation(.init(withCounters: withCounters))
        return Look(situation: here, outcome: outcome(in: here))
    }

    /// The outcome of a pass that is not carried out, with notes on the places that this host has refused.
    ///
    /// - Parameter former: the spec before an edit; nil if there was none.
    private func outcome(in here: Situation, insteadOf former: MeshSpec? = nil) -> Pass.Outcome {
        var outcome = Pass.run(
            spec: here.spec, former: former, ledger: here.ledger, observed: here.found, tool: here.tool,
            compiler: compiler, folder: ledgers.folder, now: kernel.now())
        if here.isMeshLost, former == nil {
            outcome.plan.notes.insert("\(LostMeshError(folder: ledgers.folder))", at: 0)
        }
        outcome.plan.notes = outcome.claims.refusalNotes + outcome.plan.notes
        outcome.plan.missing = outcome.claims.missing
        return outcome
    }
}
