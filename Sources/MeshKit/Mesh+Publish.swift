public import IPVSKit
import Netlink
public import RuleKit

/// The result of a change that lets clients reach a service.
public struct Publication: Sendable {
    /// The new spec, and the changes made to the kernel.
    public var change: MeshChange
    /// The obstacles that still keep clients from the service, each with the command that removes it where there is
    /// one.
    public var warnings: [String]
}

extension Mesh {
    /// Publishes a port, as ``MeshSpec/publish(_:target:service:options:avoiding:)`` describes.
    ///
    /// - Parameter force: publishes the port even if a program on this node uses it already.
    /// - Throws: ``InputError`` if a program on this node uses the port already, or the input is invalid.
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

    /// Adds a task to a service or changes a task, as ``MeshSpec/addTask(_:service:)`` describes.
    ///
    /// - Parameters:
    ///   - address: the address at which the task is reached.
    ///   - weight: the task's share of new connections.
    ///   - isLocal: whether the task is behind this node, so that its replies come back through the node.
    public func addTask(
        _ address: IPAddress, weight: UInt32 = 1, isLocal: Bool = false, service: String
    ) async throws -> Publication {
        try await surveyed { spec, view in
            let task = SpecTask(address: address, weight: weight, node: isLocal ? view.ledger.node : nil)
            let tasks = spec.services[service]?.tasks ?? []
            try spec.addTask(task, service: service)
            // A published port comes to life in an address family with the first task of that family.
            guard !tasks.contains(where: { $0.address.family == task.address.family }),
                let ports = spec.services[service]?.ports.filter({ $0.isFor(task) }), !ports.isEmpty
            else { return nil }
            return Surveyed(survey: await HostSurvey(on: view.observed.node), ports: ports, tasks: [task])
        }
    }

    /// The ports and tasks that a change concerns, and the survey that is asked about them after the change.
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
