public import IPVSKit
import Netlink
public import RuleKit

/// What a change came to that lets clients reach a service.
public struct Publication: Sendable {
    /// What is asked for now, and what was done.
    public var change: MeshChange
    /// What keeps clients from reaching it all the same, and what to type.
    public var warnings: [String]
}

extension Mesh {
    /// Publishes a port, as ``MeshSpec/publish(_:target:service:options:avoiding:)`` says it.
    ///
    /// - Parameter force: also where somebody on this node has the port already.
    /// - Throws: ``InputError`` where somebody has.
    public func publish(
        _ listening: PortBinding, target: UInt16, service: String, options: PublishOptions = PublishOptions(),
        force: Bool = false
    ) async throws -> Publication {
        try await surveyed { spec, view in
            let isNew = spec.publisher(of: listening) == nil
            try spec.publish(listening, target: target, service: service, options: options, avoiding: view.takenMarks)
            guard isNew, let (_, port) = spec.publisher(of: listening), let owner = spec.services[service] else {
                return nil
            }
            let survey = await HostSurvey(on: view.observed.node)
            if !force { try survey.refuseConflicts(port, of: owner) }
            return Surveyed(survey: survey, ports: [port], tasks: owner.tasks)
        }
    }

    /// Adds a task to a service, or changes one, as ``MeshSpec/addTask(_:service:)`` says it.
    ///
    /// - Parameters:
    ///   - address: where the task is reached.
    ///   - weight: its share of new connections.
    ///   - isLocal: whether the task is behind this node, so that its replies come back by it.
    public func addTask(
        _ address: IPAddress, weight: UInt32 = 1, isLocal: Bool = false, service: String
    ) async throws -> Publication {
        try await surveyed { spec, view in
            let task = SpecTask(address: address, weight: weight, node: isLocal ? view.ledger.node : nil)
            let tasks = spec.services[service]?.tasks ?? []
            try spec.addTask(task, service: service)
            // The first of a family is what brings a port to life there.
            guard !tasks.contains(where: { $0.address.family == task.address.family }),
                let ports = spec.services[service]?.ports.filter({ $0.isFor(task) }), !ports.isEmpty
            else { return nil }
            return Surveyed(survey: await HostSurvey(on: view.observed.node), ports: ports, tasks: [task])
        }
    }

    /// What is to be looked at, once a change is made.
    private struct Surveyed {
        var survey: HostSurvey
        var ports: [PublishedPort]
        var tasks: [SpecTask]
    }

    private func surveyed(
        _ edit: @Sendable @escaping (inout MeshSpec, MeshView) async throws -> Surveyed?
    ) async throws -> Publication {
        let found = Locked<Surveyed?>(nil)
        let change = try await change { spec, view in
            let surveyed = try await edit(&spec, view)
            found.withLock { $0 = surveyed }
        }
        var warnings: [String] = []
        if let found = found.withLock({ $0 }) {
            warnings = found.ports.flatMap {
                found.survey.warnings($0, for: found.tasks, in: change.datapath, change.ledger[.node].rules)
            }
            warnings += found.survey.warnings(for: found.tasks)
            warnings += found.survey.warnings(after: change.plan) + found.survey.unread
        }
        return Publication(change: change, warnings: warnings)
    }
}
