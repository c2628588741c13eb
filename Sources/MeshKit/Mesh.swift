public import IPVSKit
import Logging
public import RuleKit

/// The mesh on one node: the state, the kernel, and the passes that make the second follow the first.
///
/// Level-triggered: each pass reads the kernel and compares. Nothing depends on what an earlier pass did or
/// left undone, so a pass that was killed is finished by the next, whichever that is.
public struct Mesh: Sendable {
    private let store: FileStore
    private let kernel: Kernel
    private let tool: RuleTool?
    private let onWait: @Sendable () -> Void

    private var observer: Observer { Observer(kernel: kernel) }
    private var applier: Applier { Applier(kernel: kernel) }

    /// - Parameters:
    ///   - store: the state; writers lock its folder for as long as a pass takes.
    ///   - tool: what carries the rules; nil for what carries them already, else what the kernel is best served by.
    ///   - onWait: called where another process holds that lock for longer than a second.
    /// - Throws: `ConntrackError` where the namespace of the process cannot be opened.
    public init(
        store: FileStore, ipvs: IPVS, tool: RuleTool? = nil, onWait: @escaping @Sendable () -> Void = {}
    ) throws {
        self.store = store
        kernel = try Kernel(ipvs: ipvs, cache: store.directory)
        self.tool = tool
        self.onWait = onWait
    }

    /// What would change in the kernel, and nothing is.
    public func plan() async throws -> Plan {
        try await FileLock.hold(store, .shared, onWait: onWait) { try await look().plan }
    }

    /// What would change in the kernel, and what else on this node keeps clients from what is published. Nothing is changed.
    public func planAndWarnings() async throws -> (plan: Plan, warnings: [String]) {
        try await FileLock.hold(store, .shared, onWait: onWait) {
            let look = try await look()
            guard look.state.services.values.contains(where: { !$0.ports.isEmpty }) else { return (look.plan, []) }
            let survey = await HostSurvey(on: look.found.node)
            return (look.plan, survey.warnings(look.state, in: look.wanted, look.tool))
        }
    }

    /// The state and what the kernel holds of it, with counters.
    public func observe() async throws -> (state: MeshState, observed: ObservedDatapath, plan: Plan) {
        try await FileLock.hold(store, .shared, onWait: onWait) {
            let look = try await look(withCounters: true)
            return (look.state, look.found, look.plan)
        }
    }

    /// What there is, what there should be, and what leads from the one to the other.
    private struct Look {
        var state: MeshState
        var tool: RuleTool
        var found: ObservedDatapath
        var wanted: Datapath

        var plan: Plan { Planner.plan(from: found, to: wanted, owning: Planner.Ownership(state, tool: tool)) }
    }

    /// With the lock held.
    private func look(withCounters: Bool = false) async throws -> Look {
        let state = try store.load()
        let tool = await tool(for: state)
        let found = try await observer.observe(state, tool: tool, withCounters: withCounters)
        return Look(state: state, tool: tool, found: found, wanted: try await compile(state, on: found.node))
    }

    /// What the kernel should hold. Whether the node has a route to a task's network is looked up only once it is known
    /// which tasks there are to be, and only for those that it takes to know it of.
    private func compile(_ state: MeshState, on node: NodeFacts) async throws -> Datapath {
        var node = node
        node.routes = try await RoutedNetworks.read(
            of: Compiler.tasksSeeingClients(state, on: node).filter(node.isElsewhere))
        return Compiler.compile(state, on: node)
    }

    private func tool(for state: MeshState) async -> RuleTool {
        if let tool = tool ?? state.rules { return tool }
        return await .best()
    }

    /// One pass: makes the kernel hold what the state asks for.
    @discardableResult
    public func reconcile() async throws -> MeshChange {
        try await change { _, _ in }
    }

    /// Changes what is asked for, and the kernel with it. Where either fails, both are as they were.
    ///
    /// - Parameter edit: given the state and what the kernel holds.
    public func change(
        _ edit: @Sendable (inout MeshState, ObservedDatapath) async throws -> Void
    ) async throws -> MeshChange {
        try await FileLock.hold(store, .exclusive, onWait: onWait) { try await pass(edit) }
    }

    /// Takes down everything that was ever put up, puts settings back, and forgets what was asked for.
    public func reset() async throws -> MeshChange {
        try await FileLock.hold(store, .exclusive, onWait: onWait) {
            var change = try await pass { state, _ in
                for name in state.services.keys { try state.removeService(name) }
            }
            var state = change.state
            // Twice, since to write one makes the kernel write others.
            for _ in 1...2 {
                let settings = try await putBack(state)
                try await applier.apply(Plan(steps: settings))
                change.plan.steps += settings
            }
            let old = state
            state.originalSysctls = [:]
            state.originalTCPTimeoutSeconds = nil
            state.hasLoopback = true
            state.rules = nil
            try save(&state, over: old)
            change.didChange = change.didChange || state != old || !change.plan.isEmpty
            change.state = state
            return change
        }
    }

    /// With the lock held.
    private func pass(
        _ edit: (inout MeshState, ObservedDatapath) async throws -> Void
    ) async throws -> MeshChange {
        let old = try store.load()
        let tool = await tool(for: old)
        let found = try await observer.observe(old, tool: tool)
        var new = old
        try await edit(&new, found)
        do {
            return try await pass(from: old, to: new, tool, found)
        } catch let error as DetourError where new.hasLoopback && error.isOfThisHost {
            // Better all but 127.0.0.1 than nothing; and not to be tried again at each pass. What there was of it goes,
            // so that what failed has not to be made once more where all is put back.
            let current = try store.load()
            var before = old
            before.takeOver(from: current)
            before.hasLoopback = false
            try save(&before, over: current)
            new.takeOver(from: current)
            new.hasLoopback = false
            new.generation = before.generation
            var change = try await pass(from: before, to: new, tool, observer.observe(new, tool: tool))
            change.loopbackRefusal = "\(error)"
            change.didChange = true
            return change
        }
    }

    private func pass(
        from old: MeshState, to wanted: MeshState, _ tool: RuleTool, _ found: ObservedDatapath
    ) async throws -> MeshChange {
        var new = wanted
        let datapath = try await compile(new, on: found.node)
        let plan = Planner.plan(
            from: found, to: datapath, before: old, owning: Planner.Ownership(new, tool: tool))

        // What is ours is written down before it is in the kernel, and struck out after it has gone from there:
        // whenever this process dies, the next pass knows what it may touch.
        remember(plan, datapath, found, tool, in: &new)
        try save(&new, over: old)
        let remnants: [RuleRemnant]
        do {
            remnants = try await applier.apply(plan)
        } catch let error as DetourError where new.hasLoopback && error.isOfThisHost {
            // Gone on with, without.
            throw error
        } catch {
            try await undo(new, to: old, tool, because: error)
        }
        let applied = new
        new.settle(datapath)
        new.reservedPorts = Self.reservation(datapath, found, old).ours
        try save(&new, over: applied)
        return MeshChange(
            state: new, plan: plan, didChange: new != old || !plan.isEmpty, datapath: datapath, remnants: remnants)
    }

    /// Notes what is about to be ours, and how it was before.
    private func remember(
        _ plan: Plan, _ datapath: Datapath, _ found: ObservedDatapath, _ tool: RuleTool, in state: inout MeshState
    ) {
        for step in plan.steps {
            switch step {
            case .sysctl(let change) where change.sysctl != .reservedPorts:
                guard state.originalSysctls[change.sysctl] == nil else { continue }
                state.originalSysctls[change.sysctl] = change.old
                for other in change.sysctl.dependents { state.originalSysctls[other] = found.sysctls[other] }
            case .tcpTimeout(let old, _):
                state.originalTCPTimeoutSeconds = state.originalTCPTimeoutSeconds ?? old
            case .hairpin(let port, true): state.hairpinPorts.insert(port)
            case .flows(let flows): state.staleFlows.insert(flows.binding)
            default: break
            }
        }
        let reserved = Self.reservation(datapath, found, state).ours
        state.reservedPorts += reserved.filter { !state.reservedPorts.contains($0) }
        state.formerRules = state.formerRules(besides: tool)
        if !datapath.rules.isEmpty { state.rules = tool }
    }

    private static func reservation(
        _ datapath: Datapath, _ found: ObservedDatapath, _ state: MeshState
    ) -> PortReservation {
        PortReservation(
            current: found.sysctls[.reservedPorts] ?? "", former: state.reservedPorts, wanted: datapath.reservedPorts)
    }

    private func putBack(_ state: MeshState) async throws -> [Plan.Step] {
        var steps = state.originalSysctls.sorted { $0.key < $1.key }.compactMap { sysctl, value -> Plan.Step? in
            // A setting that has gone, with its module or its interface, needs no putting back.
            guard let current = kernel.sysctls.read(sysctl), current != value else { return nil }
            return .sysctl(SysctlChange(sysctl: sysctl, old: current, new: value))
        }
        if let seconds = state.originalTCPTimeoutSeconds {
            let current = try await kernel.ipvs.timeouts().tcpSeconds
            // Another value than ours is somebody else's by now.
            if current == Compiler.tcpTimeoutSeconds { steps.append(.tcpTimeout(old: current, new: seconds)) }
        }
        return steps
    }

    private func save(_ state: inout MeshState, over old: MeshState) throws {
        guard state != old else { return }
        state.generation = old.generation + 1
        try store.save(state)
    }

    /// Makes kernel and state what they were, and throws why.
    private func undo(
        _ new: MeshState, to old: MeshState, _ tool: RuleTool, because reason: any Error
    ) async throws -> Never {
        var back = old
        // What the failed pass may have put up is ours, too, until it is gone.
        back.takeOver(from: new)
        do {
            try save(&back, over: new)
            // Where another tool was to take the rules over, it is that one's that have to go.
            let before = old.rules ?? tool
            let found = try await observer.observe(back, tool: before)
            let datapath = try await compile(back, on: found.node)
            let plan = Planner.plan(
                from: found, to: datapath, owning: Planner.Ownership(back, tool: before))
            try await applier.apply(plan)
            var settled = back
            settled.settle(datapath)
            settled.reservedPorts = Self.reservation(datapath, found, back).ours
            try save(&settled, over: back)
        } catch {
            throw UndoError(reason: reason, second: error)
        }
        throw reason
    }
}

/// What a change came to.
public struct MeshChange: Sendable {
    /// What is asked for now.
    public var state: MeshState
    /// What was done to the kernel.
    public var plan: Plan
    /// Whether anything is otherwise than before, in the state or in the kernel.
    public var didChange: Bool
    /// What the kernel holds now.
    var datapath: Datapath
    /// What of ours had to stay in the kernel, because somebody else uses it.
    public var remnants: [RuleRemnant]
    /// Why connections to 127.0.0.1 are not balanced, where they just turned out not to be.
    public var loopbackRefusal: String?
}

/// A change failed, and so did taking it back: the next pass will try again.
public struct UndoError: Error, CustomStringConvertible {
    /// Why the change failed.
    public var reason: any Error
    /// Why taking it back failed.
    public var second: any Error

    /// Both reasons, and what to do.
    public var description: String {
        "\(reason); and taking the change back failed: \(second); run `meshctl reconcile` once the cause is gone"
    }
}
