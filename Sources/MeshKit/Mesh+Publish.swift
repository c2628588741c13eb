import IPVSKit
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
    /// Publishes a port, as ``MeshState/publish(_:target:service:options:avoiding:)`` says it.
    ///
    /// - Parameter force: also where somebody on this node has the port already.
    /// - Throws: ``InputError`` where somebody has.
    public func publish(
        _ listening: PortBinding, target: UInt16, service: String, options: PublishOptions = PublishOptions(),
        force: Bool = false
    ) async throws -> Publication {
        try await surveyed { state, observed in
            let isNew = state.publisher(of: listening) == nil
            try state.publish(listening, target: target, service: service, options: options, avoiding: observed.marks)
            guard isNew, let (_, port) = state.publisher(of: listening), let owner = state.services[service] else {
                return nil
            }
            let survey = await HostSurvey(on: observed.node)
            if !force { try survey.refuseConflicts(port, of: owner) }
            return Surveyed(survey: survey, ports: [port], tasks: owner.tasks)
        }
    }

    /// Adds a task to a service, or changes one, as ``MeshState/addTask(_:service:)`` says it.
    public func addTask(_ task: MeshTask, service: String) async throws -> Publication {
        try await surveyed { state, observed in
            let tasks = state.services[service]?.tasks ?? []
            try state.addTask(task, service: service)
            // The first of a family is what brings a port to life there.
            guard !tasks.contains(where: { $0.address.family == task.address.family }),
                let ports = state.services[service]?.ports.filter({ $0.isFor(task) }), !ports.isEmpty
            else { return nil }
            return Surveyed(survey: await HostSurvey(on: observed.node), ports: ports, tasks: [task])
        }
    }

    /// What is to be looked at, once a change is made.
    private struct Surveyed {
        var survey: HostSurvey
        var ports: [PublishedPort]
        var tasks: [MeshTask]
    }

    private func surveyed(
        _ edit: @Sendable (inout MeshState, ObservedDatapath) async throws -> Surveyed?
    ) async throws -> Publication {
        let found = Locked<Surveyed?>(nil)
        let change = try await change { state, observed in
            let surveyed = try await edit(&state, observed)
            found.withLock { $0 = surveyed }
        }
        var warnings: [String] = []
        if let found = found.withLock({ $0 }) {
            warnings = found.ports.flatMap {
                found.survey.warnings($0, for: found.tasks, in: change.datapath, change.state.rules)
            }
            warnings += found.survey.warnings(for: found.tasks)
            warnings += found.survey.warnings(after: change.plan) + found.survey.unread
        }
        return Publication(change: change, warnings: warnings)
    }
}
