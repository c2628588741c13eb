/// A pass that had nothing to do. A pass is a function, so another one over the same spec, ledger and kernel has nothing to
/// do either. An agent passes every few seconds, and comparing what it read takes a tenth of computing it all again.
struct IdlePass: Sendable {
    private let spec: MeshSpec
    private let ledger: Ledger
    private let tool: RuleTool
    private let observed: ObservedDatapath
    /// The result of the pass.
    let change: MeshChange

    /// Nil if the pass did anything, or if connections of retiring paths are awaited or tasks start slowly: these end with
    /// time.
    init?(
        over observed: ObservedDatapath, _ spec: MeshSpec, _ ledger: Ledger, _ tool: RuleTool,
        resultingIn change: MeshChange
    ) {
        guard !change.didChange, change.refusedSteps == 0, change.refusals.isEmpty, change.plan.isEmpty,
            ledger.places.values.allSatisfy({ $0.retiring.isEmpty }),
            ledger.starts.values.allSatisfy({ $0.since.isEmpty })
        else { return nil }
        self.spec = spec
        self.ledger = ledger
        self.tool = tool
        self.observed = observed
        self.change = change
    }

    /// The result of a pass that has nothing to do for the same reasons; nil if it may have something to do.
    func repeated(
        over observed: ObservedDatapath, _ spec: MeshSpec, _ ledger: Ledger, _ tool: RuleTool
    ) -> MeshChange? {
        let isSame =
            tool == self.tool && spec == self.spec && ledger == self.ledger && observed == self.observed
        return isSame ? change : nil
    }
}
