import IPVSKit
import RuleKit

/// What an edit would change.
public struct ChangePreview: Sendable {
    /// The differences between the present mesh and the edited one, a line each: `+` for what comes, `-` for what goes,
    /// `~` for what changes.
    public var differences: [String]
    /// The steps that the kernel of this node would need.
    public var plan: Plan
}

extension Mesh {
    /// Makes the mesh that a file describes, and changes the kernel accordingly. If either fails, both are put back as
    /// they were. The warnings are those of ``planAndWarnings()``; none if the mesh is as it was.
    ///
    /// - Parameters:
    ///   - pruning: also removes what the file's sections leave out. A file of `meshctl export` always does.
    ///   - forcing: takes a file of `meshctl export` although it is older than the present mesh, or lacks edits of it.
    ///   - cutting: ends the connections at once by paths that the file replaces, and by those of its services that retire
    ///     already; for a file of the whole mesh, by all.
    /// - Throws: ``InputError`` with the line and column of the file, if the file lacks edits of the present mesh, if parts
    ///   do not fit together, or if subnets overlap networks of this host.
    public func apply(
        _ file: MeshFile, pruning: Bool = false, forcing: Bool = false, cutting: Bool = false
    ) async throws -> Publication {
        let isOfAll = file.generation != nil || (pruning && file.services != nil)
        let cut: ConnectionCut = isOfAll ? .all : .services(Set((file.services ?? [:]).keys))
        return try await surveyed(cutting: cutting ? cut : .none, isOfFile: true) { spec, view in
            var context = try await context(for: file, view, pruning, forcing)
            context.cuts = cutting
            spec = try spec.applying(file, in: context)
            guard spec != view.spec else { return nil }
            return Surveyed(await HostSurvey(on: view.observed), .everything)
        }
    }

    /// What ``apply(_:pruning:forcing:)`` would change. Changes nothing.
    public func preview(_ file: MeshFile, pruning: Bool = false, forcing: Bool = false) async throws -> ChangePreview {
        try await preview { spec, view in
            spec = try spec.applying(file, in: try await context(for: file, view, pruning, forcing))
        }
    }

    private func context(
        for file: MeshFile, _ view: MeshView, _ pruning: Bool, _ forcing: Bool
    ) async throws -> ApplyContext {
        let own = view.ledger.node
        var context = ApplyContext(
            prunes: pruning, forces: forcing, node: own, host: try await kernel.hostNetworks(),
            takenMarks: view.takenMarks)
        context.ended = Set(view.observed.node.gone.compactMap(\.taskNamespace))
        for (name, service) in file.services ?? [:] {
            for task in service.tasks {
                guard let attachment = task.attachment, task.node ?? own == own,
                    attachment.addresses == nil || file.generation == nil
                else { continue }
                let path = attachment.namespace
                let present = view.spec.services[name]?.tasks.first {
                    $0.node == own && $0.attachment?.namespace == path
                }
                if let present, attachment.addresses == nil || attachment.addresses == present.attachment?.addresses {
                    // A task that is attached already may have ended.
                    if attachment.addresses != nil { context.facts[path] = try? await kernel.taskFacts(at: path) }
                    continue
                }
                do {
                    context.facts[path] = try await kernel.taskFacts(at: path)
                } catch let error as InputError {
                    throw file.error(at: file.path(of: task, in: name), error.description)
                }
            }
        }
        if !context.facts.isEmpty { context.hasZones = await kernel.hasZones() }
        return context
    }
}
