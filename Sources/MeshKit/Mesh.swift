public import IPVSKit
import Logging
public import RuleKit

/// The mesh on one node: the state, the kernel, and the passes that make the second follow the first.
///
/// Level-triggered: each pass reads the kernel and compares. Nothing depends on what an earlier pass did or
/// left undone, so a pass that was killed is finished by the next, whichever that is.
public struct Mesh: Sendable {
    private let store: FileStore
    private let observer: Observer
    private let applier: Applier
    private let onWait: @Sendable () -> Void

    /// - Parameters:
    ///   - store: the state; writers lock its folder for as long as a pass takes.
    ///   - onWait: called where another process holds that lock for longer than a second.
    public init(store: FileStore, ipvs: IPVS, rules: any RuleBackend, onWait: @escaping @Sendable () -> Void = {}) {
        self.store = store
        let sysctls = SysctlFiles()
        observer = Observer(ipvs: ipvs, rules: rules, sysctls: sysctls)
        applier = Applier(ipvs: ipvs, rules: rules, sysctls: sysctls)
        self.onWait = onWait
    }

    /// What would change in the kernel, and nothing is.
    public func plan() async throws -> Plan {
        let (state, observed) = try await observe()
        return Planner.plan(from: observed, to: Compiler.compile(state), owned: state.ownedMarks)
    }

    /// The state and what the kernel holds of it.
    public func observe() async throws -> (state: MeshState, observed: ObservedDatapath) {
        try await FileLock.hold(store, .shared, onWait: onWait) {
            (state: try store.load(), observed: try await observer.observe())
        }
    }

    /// One pass: makes the kernel hold what the state asks for.
    @discardableResult
    public func reconcile() async throws -> Plan {
        try await change { _, _ in }.plan
    }

    /// Changes what is asked for, and the kernel with it. Where either fails, both are as they were.
    ///
    /// - Parameter edit: given the state and what the kernel holds.
    public func change(
        _ edit: (inout MeshState, ObservedDatapath) throws -> Void
    ) async throws -> (state: MeshState, plan: Plan) {
        try await FileLock.hold(store, .exclusive, onWait: onWait) { try await pass(edit) }
    }

    /// Takes down everything that was ever put up, puts settings back, and forgets what was asked for.
    public func reset() async throws -> Plan {
        try await FileLock.hold(store, .exclusive, onWait: onWait) {
            var (state, plan) = try await pass { state, _ in
                for name in state.services.keys { try state.removeService(name) }
            }
            let settings = sysctlsPutBack(state.originalSysctls)
            try await applier.apply(Plan(steps: settings))
            plan.steps += settings
            let old = state
            state.originalSysctls = [:]
            try save(&state, over: old)
            return plan
        }
    }

    /// With the lock held.
    private func pass(
        _ edit: (inout MeshState, ObservedDatapath) throws -> Void
    ) async throws -> (state: MeshState, plan: Plan) {
        let old = try store.load()
        let found = try await observer.observe()
        var new = old
        try edit(&new, found)
        let plan = Planner.plan(from: found, to: Compiler.compile(new), owned: new.ownedMarks)

        for case .sysctl(let change) in plan.steps where new.originalSysctls[change.sysctl] == nil {
            new.originalSysctls[change.sysctl] = change.old
        }
        // What is ours is written down before it is in the kernel, and struck out after it has gone from there:
        // whenever this process dies, the next pass knows what it may touch.
        try save(&new, over: old)
        do {
            try await applier.apply(plan)
        } catch {
            try await undo(new, to: old, because: error)
        }
        let applied = new
        new.retiringMarks = []
        try save(&new, over: applied)
        return (new, plan)
    }

    private func sysctlsPutBack(_ originals: [Sysctl: String]) -> [Plan.Step] {
        originals.sorted { $0.key < $1.key }.compactMap { sysctl, value in
            // A setting that has gone, with its module or its interface, needs no putting back.
            guard let current = observer.sysctls.read(sysctl), current != value else { return nil }
            return .sysctl(SysctlChange(sysctl: sysctl, old: current, new: value))
        }
    }

    private func save(_ state: inout MeshState, over old: MeshState) throws {
        guard state != old else { return }
        state.generation = old.generation + 1
        try store.save(state)
    }

    /// Makes kernel and state what they were, and throws why.
    private func undo(_ new: MeshState, to old: MeshState, because reason: any Error) async throws -> Never {
        var back = old
        // What the failed pass may have put up is ours, too, until it is gone.
        back.retiringMarks = new.ownedMarks.subtracting(old.services.values.flatMap { $0.ports.map(\.mark) })
        back.originalSysctls = new.originalSysctls
        do {
            try save(&back, over: new)
            let plan = Planner.plan(
                from: try await observer.observe(), to: Compiler.compile(back), owned: back.ownedMarks)
            try await applier.apply(plan)
            var settled = back
            settled.retiringMarks = []
            try save(&settled, over: back)
        } catch {
            throw UndoError(reason: reason, second: error)
        }
        throw reason
    }
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
