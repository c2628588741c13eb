public import IPVSKit
import Netlink
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
    let tool: RuleTool?
    /// The name that this node is to have; nil keeps its name.
    let nodeName: String?
    let onWait: @Sendable () -> Void
    /// The last pass of this value that had nothing to do.
    private let idle = Locked<IdlePass?>(nil)

    var observer: Observer { Observer(kernel: kernel, compiler: compiler) }

    /// The mesh on the node whose network namespace the process is in.
    ///
    /// - Parameters:
    ///   - store: keeps the spec.
    ///   - ledger: keeps the record of what this node has put into its kernel. A pass that writes locks the ledger's
    ///     folder until it ends.
    ///   - tool: the tool that writes the rules. Nil keeps the tool in use, or chooses the one that suits the kernel
    ///     best.
    ///   - nodeName: the name of this node. Nil keeps the name; a new ledger takes the host's. A node that has put
    ///     anything into its kernel cannot be given another name.
    ///   - onWait: called once if another process holds the lock for longer than a second.
    /// - Throws: an error if the namespace of the process cannot be opened.
    public init(
        store: any SpecStore, ledger: LedgerFile, ipvs: IPVS, tool: RuleTool? = nil, nodeName: String? = nil,
        onWait: @escaping @Sendable () -> Void = {}
    ) throws {
        self.init(
            store: store, ledger: ledger, kernel: try LiveKernel(ipvs: ipvs, cache: ledger.directory), tool: tool,
            nodeName: nodeName, onWait: onWait)
    }

    package init(
        store: any SpecStore, ledger: any LedgerStore, kernel: any MeshKernel, compiler: Compiler = Compiler(),
        tool: RuleTool? = nil, nodeName: String? = nil, onWait: @escaping @Sendable () -> Void = {}
    ) {
        self.store = store
        ledgers = ledger
        self.kernel = kernel
        self.compiler = compiler
        self.tool = tool
        self.nodeName = nodeName
        self.onWait = onWait
    }

    // MARK: Changing

    /// Runs one pass, which makes the kernel hold what the spec asks for.
    ///
    /// - Parameters:
    ///   - retry: also tries the places again that this host refused before.
    ///   - cut: which connections of retiring paths end at once.
    @discardableResult
    public func reconcile(retry: Bool = false, cutting cut: ConnectionCut = .none) async throws -> MeshChange {
        try await change(purpose: .converge, retrying: retry, cutting: cut) { _, _ in }
    }

    /// Edits the spec and changes the kernel accordingly. If either fails, both are put back as they were.
    ///
    /// - Parameters:
    ///   - cut: which connections end at once, of paths that the edit replaces or that retire already.
    ///   - edit: changes the spec, knowing what was observed.
    public func change(
        cutting cut: ConnectionCut = .none,
        _ edit: @Sendable @escaping (inout MeshSpec, MeshView) async throws -> Void
    ) async throws -> MeshChange {
        try await change(purpose: .converge, cutting: cut, edit)
    }

    /// Removes everything that the mesh has put into the kernel, restores settings, and removes all services, networks
    /// and nodes from the spec.
    ///
    /// - Parameter recovering: also removes what the documents do not know of and the kernel says is this node's, for a
    ///   node whose documents were lost. The plan's notes list IPVS services that may be this node's and stay.
    public func reset(recovering: Bool = false) async throws -> MeshChange {
        try await change(purpose: .reset, recovering: recovering) { spec, _ in
            spec.services = [:]
            spec.networks = [:]
            spec.nodes = [:]
            // An empty mesh is older than any file.
            spec.version = MeshSpec().version
        }
    }

    /// - Parameters:
    ///   - retrying: whether the places are tried again that this host refused before.
    ///   - recovering: whether the ledger also takes what the kernel says is this node's.
    ///   - unhealthy: the tasks that are not healthy, by service; nil for those that the ledger knows.
    ///   - isOfAgent: whether an agent makes the change.
    ///   - isOfFile: whether a file is applied.
    func change(
        purpose: Pass.Purpose, retrying: Bool = false, recovering: Bool = false,
        unhealthy: [String: Set<IPAddress>]? = nil, isOfAgent: Bool = false, isOfFile: Bool = false,
        cutting cut: ConnectionCut = .none,
        _ edit: @Sendable @escaping (inout MeshSpec, MeshView) async throws -> Void
    ) async throws -> MeshChange {
        var hasBegun = false
        let change: MeshChange
        do {
            change = try await locked(.exclusive) {
                defer { kernel.keepNotes() }
                var notes: [String] = []
                var stored: Ledger?
                let options = Observer.Options(forRestoring: purpose == .reset)
                let here = try await situation(options) { ledger in
                    stored = try prepare(&ledger, retrying, unhealthy, isOfAgent: isOfAgent)
                    if recovering { notes = try await recover(&ledger) }
                }
                let (before, tool) = (here.spec, here.tool)
                var (ledger, found) = (here.ledger, here.found)
                if recovering { notes += ledger[.node].recoverMarks(from: found[.node]) }
                var spec = try await edited(before, ledger, found, by: edit)
                if here.isMeshLost, spec != before, purpose == .converge, !isOfFile {
                    throw LostMeshError(folder: ledgers.folder)
                }
                // What an agent finds has been looked through already: one fault in it is not to stop the rest.
                if spec != before, !isOfAgent { try spec.refuseAlikePorts(besides: before) }
                spec.generation = before.generation
                let rebuilt = refusedPlaces(rebuiltBy: spec, insteadOf: before, ledger, on: found.node)
                if purpose == .converge, !rebuilt.isEmpty {
                    try forgetRefusals(of: rebuilt, &ledger)
                    found = try await observer.observe(request(before, ledger), tool: tool, options)
                }
                if isOfAgent, unhealthy != nil {
                    // Nobody is sent to a task that has yet to show that it serves.
                    let unhealthy = ledger.unhealthy.merging(spec.unprobedTasks(besides: before)) { $0.union($1) }
                    try judge(unhealthy, &ledger)
                }
                let isPlain = spec == before && purpose == .converge && !retrying && cut == .none
                if isPlain, var change = idle.withLock(\.self)?.repeated(over: found, spec, ledger, tool) {
                    change.readingTime = here.readingTime
                    return change
                }
                // What an agent finds is no edit of the mesh, which would make every other node's file an older one; nor is what a
                // file tells of other nodes' agents. What somebody says of it by a command is one.
                let isEdit =
                    isOfAgent || isOfFile ? spec.withoutFoundParts != before.withoutFoundParts : spec != before
                if purpose == .converge, spec.version == before.version, isEdit { spec.version.count(on: ledger.node) }
                try await look(again: &found, for: spec, insteadOf: before, ledger, tool, cutting: cut, options)
                let run = PassRun(
                    mesh: self, before: before, spec: spec, ledger: ledger, tool: tool, purpose: purpose, cut: cut,
                    // Whatever was written since has the verdicts, too.
                    stored: stored?.generation == ledger.generation ? stored : nil, goesOnUnsaved: isOfAgent)
                // A pass that has begun is finished or taken back even if the task that asked for it is cancelled.
                hasBegun = true
                let observed = found
                var change = try await Task { try await run.carryOut(observed) }.value
                change.plan.notes += notes
                change.forgotten = before.origins(besides: spec)
                change.readingTime = here.readingTime
                if isPlain {
                    let pass = IdlePass(over: found, spec, ledger, tool, resultingIn: change)
                    idle.withLock { $0 = pass }
                }
                let own = Set(observed.node.addresses.map(\.address))
                change.freedPorts = before.heldPorts(own: own).subtracting(spec.heldPorts(own: own))
                return change
            }
        } catch  where Task.isCancelled && !hasBegun {
            // Each call that was dropped has an error of its own, which tells nobody that nothing was changed.
            throw CancellationError()
        }
        // Whoever unpublishes a port may be about to start a program on it.
        if !isOfAgent { await kernel.waitForRelease(of: change.freedPorts, byAgentOf: ledgers.folder) }
        return change
    }

    /// The spec after an edit, which knows the tasks whose addresses nobody else is to get.
    func edited(
        _ before: MeshSpec, _ ledger: Ledger, _ found: ObservedDatapath,
        by edit: (inout MeshSpec, MeshView) async throws -> Void
    ) async throws -> MeshSpec {
        var present = before
        present.leaving = ledger.places.values.flatMap(\.retiring).flatMap(\.tasks)
        var spec = present
        try await edit(&spec, MeshView(spec: present, ledger: ledger, observed: found))
        spec.leaving = []
        return spec
    }

    /// Observes what an edited spec needs and the former one did not.
    func look(
        again found: inout ObservedDatapath, for spec: MeshSpec, insteadOf before: MeshSpec, _ ledger: Ledger,
        _ tool: RuleTool, cutting cut: ConnectionCut = .none, _ options: Observer.Options = .init()
    ) async throws {
        // The paths that are about to retire decide what there is to observe, too.
        let retiring = Retirement(spec: spec, former: before, cut: cut, now: kernel.now()).begun(in: ledger, found)
        guard spec != before || retiring != ledger else { return }
        let request = request(spec, retiring)
        if observer.looksAtMore(for: request, than: self.request(before, ledger)) {
            found = try await observer.observe(request, tool: tool, options)
        } else {
            try await observer.complete(&found, for: request, tool: tool, options)
        }
    }

    /// Adds to the ledger what the kernel itself says is this node's.
    ///
    /// - Returns: what could not be decided, in words.
    private func recover(_ ledger: inout Ledger) async throws -> [String] {
        let traces = try await kernel.traces()
        ledger.recover(traces.found, folder: ledgers.folder)
        return traces.unreadable.map { "not looked at: the network namespace \($0)" }
            + ledger.bareNames(among: traces, folder: ledgers.folder).map {
                "the network namespace \($0) stays: it is empty and may be anybody's; if nobody else made it, "
                    + "`ip netns del \($0)` removes it"
            }
    }

    private func forgetRefusals(of places: some Sequence<PlaceID>, _ ledger: inout Ledger) throws {
        var forgetful = ledger
        for place in places { forgetful[place].refusal = nil }
        guard forgetful != ledger else { return }
        try save(forgetful, as: &ledger)
    }

    /// The places that this host has refused, and that an edit builds in another way. Perhaps the host takes them so.
    private func refusedPlaces(
        rebuiltBy spec: MeshSpec, insteadOf before: MeshSpec, _ ledger: Ledger, on node: NodeFacts
    ) -> [PlaceID] {
        let refused = ledger.places.filter { $0.value.refusal != nil }.keys
        guard spec != before, !refused.isEmpty else { return [] }
        var open = ledger
        open.forgetRefusals()
        let old = compiler.compile(request(before, open), on: node)
        let new = compiler.compile(request(spec, open), on: node)
        return refused.filter { !old.isBuilt(as: new, in: $0) }
    }

    /// Saves what a change says of the ledger before it looks at anything: the node's name, which refused places are tried
    /// again, and which tasks are not healthy.
    ///
    /// - Returns: the stored ledger, if an agent's could not be written; nil if that is the stored one.
    private func prepare(
        _ ledger: inout Ledger, _ retrying: Bool, _ unhealthy: [String: Set<IPAddress>]?, isOfAgent: Bool
    ) throws -> Ledger? {
        try saveName(&ledger)
        do {
            // Refusals are forgotten before anything is observed: the observer compares the rules with those of a node that
            // has all places which are not refused.
            if retrying { try forgetRefusals(of: ledger.places.keys, &ledger) }
            if let unhealthy { try judge(unhealthy, &ledger) }
            return nil
        } catch let error as StoreError where isOfAgent && error.code == .inaccessible {
            // The disk may be full. The agent knows the verdicts all the same, and has them again next time; what was
            // refused is tried again once there is room.
            let stored = ledger
            ledger.unhealthy = unhealthy ?? ledger.unhealthy
            return stored
        }
    }

    /// Saves which tasks are not healthy.
    private func judge(_ unhealthy: [String: Set<IPAddress>], _ ledger: inout Ledger) throws {
        guard unhealthy != ledger.unhealthy else { return }
        var judging = ledger
        judging.unhealthy = unhealthy
        try save(judging, as: &ledger)
    }

    /// Saves the node's new name, which a pass that changes nothing else would not save.
    private func saveName(_ ledger: inout Ledger) throws {
        guard let saved = try ledgers.load(), saved.generation > 0, saved.node != ledger.node else { return }
        try save(ledger, as: &ledger)
    }

    private func save(_ new: Ledger, as ledger: inout Ledger) throws {
        try ledgers.save(new, replacing: ledger.generation)
        ledger = new
        ledger.generation += 1
    }

    /// Closes what changes have opened in places, for a process that keeps the value and makes further changes: whatever
    /// is open keeps a namespace alive that its owner has ended. No change may be under way.
    package func rest() { kernel.release() }
}
