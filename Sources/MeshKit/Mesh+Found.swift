import IPVSKit
import Netlink
import RuleKit

extension Mesh {
    /// What became of found tasks in a pass.
    struct FoundOutcome: Sendable {
        /// What cannot be done, in words.
        var notes: [String] = []
        /// What has changed in the spec, a line each.
        var differences: [String] = []
    }

    /// Runs one pass of an agent.
    ///
    /// - Parameters:
    ///   - retry: also tries the places again that this host refused before.
    ///   - unhealthy: the tasks that are not healthy, by service; nil if nobody has looked.
    ///   - found: the tasks that sources have found, by the source's name.
    ///   - putOff: the found tasks of which nothing new is taken over.
    ///   - refused: why ports cannot be published here, by port. Ports that are new are asked about, and those that
    ///     something on this node uses are added.
    ///   - check: throws if the spec is not to be followed.
    func follow(
        retry: Bool, unhealthy: [String: Set<IPAddress>]? = nil, found: [String: [FoundTask]] = [:],
        puttingOff putOff: Set<FoundTaskID> = [], refusing refused: RefusedPorts = RefusedPorts(),
        checking check: @Sendable @escaping (MeshSpec, Ledger) throws -> Void
    ) async throws -> (change: MeshChange, found: FoundOutcome) {
        let outcome = Locked(FoundOutcome())
        let change = try await change(purpose: .converge, retrying: retry, unhealthy: unhealthy, isOfAgent: true) {
            spec, view in
            try check(spec, view.ledger)
            guard !found.isEmpty else { return }
            let result = try await takeOver(found, puttingOff: putOff, in: &spec, view, refusing: refused)
            outcome.withLock { $0 = result }
        }
        return (change, outcome.withLock(\.self))
    }

    private func takeOver(
        _ found: [String: [FoundTask]], puttingOff putOff: Set<FoundTaskID>, in spec: inout MeshSpec,
        _ view: MeshView, refusing refused: RefusedPorts
    ) async throws -> FoundOutcome {
        let before = spec
        let node = view.ledger.node
        var context = MeshSpec.FoundContext()
        context.takenMarks = view.takenMarks
        context.ended = Set(view.observed.node.gone.compactMap(\.taskNamespace))
        context.refusedPorts = refused.reasons(at: .now)
        var outcome = FoundOutcome()
        for task in found.values.joined() { await look(at: task, node, spec, &context, &outcome.notes) }
        if !context.facts.isEmpty, spec.nodes[node] == nil || spec.networks[MeshNetwork.ingress] == nil {
            context.host = try await kernel.hostNetworks()
        }
        func takeOver() -> (spec: MeshSpec, notes: [String]) {
            var next = before
            let notes = found.sorted { $0.key < $1.key }.flatMap { source, tasks in
                var context = context
                context.putOff = Set(putOff.filter { $0.source == source }.map(\.name))
                return next.takeOver(tasks, of: Origin(source, on: node), in: context)
            }
            return (next, notes)
        }
        var result = takeOver()
        let conflicts = await conflicts(of: result.spec, besides: before, view)
        if !conflicts.isEmpty {
            refused.add(conflicts, at: .now)
            context.refusedPorts.merge(conflicts) { $1 }
            result = takeOver()
        }
        guard result.spec != before else { return FoundOutcome(notes: outcome.notes + result.notes) }
        spec = result.spec
        if !context.facts.isEmpty { await recordZones(of: node, in: &spec) }
        outcome.notes += result.notes
        outcome.differences = spec.differences(from: before)
        return outcome
    }

    /// Looks into the namespace of a task that is, or is to be, attached, unless the spec knows it already.
    private func look(
        at task: FoundTask, _ node: String, _ spec: MeshSpec, _ context: inout MeshSpec.FoundContext,
        _ notes: inout [String]
    ) async {
        guard !task.isOnlyListed, let namespace = task.attachment?.namespace ?? task.namespace else { return }
        let present = spec.attachedTasks().filter { $0.task.node == node && $0.attachment.container == task.name }
        guard task.attachment != nil || !present.isEmpty else { return }
        let isKnown =
            present.contains { $0.attachment.namespace == namespace } && !context.ended.contains(namespace)
            && (task.attachment == nil
                || task.services.contains { spec.services[$0]?.has(task.name, on: node) ?? false })
        guard !isKnown else { return }
        do {
            context.facts[namespace] = try await kernel.taskFacts(at: namespace)
        } catch {
            // It has probably just ended, of which its source tells next.
            notes.append("container \(task.name) is not attached: \(error)")
        }
    }

    /// Why ports that are new cannot be published on this node.
    private func conflicts(
        of spec: MeshSpec, besides before: MeshSpec, _ view: MeshView
    ) async -> [PortBinding: String] {
        let known = Set(before.services.values.flatMap(\.ports).map(\.listening))
        var conflicts: [PortBinding: String] = [:]
        var survey: HostSurvey?
        for service in spec.services.values {
            for port in service.ports where port.origin?.node == view.ledger.node && !known.contains(port.listening) {
                let asked: HostSurvey
                if let survey { asked = survey } else { asked = await HostSurvey(on: view.observed) }
                survey = asked
                do throws(InputError) {
                    try await asked.refuseConflicts(port, of: service)
                } catch {
                    conflicts[port.listening] = error.description
                }
            }
        }
        return conflicts
    }
}

extension MeshSpec.Service {
    /// Whether a container of a node is attached as a task.
    fileprivate func has(_ container: String, on node: String) -> Bool {
        tasks.contains { $0.node == node && $0.attachment?.container == container }
    }
}
