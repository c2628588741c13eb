public import IPVSKit
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
    /// Publishes ports of a service, all or none, as ``MeshSpec/publish(_:target:service:options:avoiding:)`` describes.
    ///
    /// - Parameters:
    ///   - ports: where the mesh answers, and the port in the task.
    ///   - force: publishes the ports even if a program on this node uses them already.
    ///   - cutting: ends the connections by the ports' former paths at once, and also those of the service's other ports
    ///     if the options choose a balancer.
    /// - Throws: ``InputError`` if a program on this node uses a port already, or the input is invalid.
    public func publish(
        _ ports: [(listening: PortBinding, target: UInt16)], service: String,
        options: PublishOptions = PublishOptions(), force: Bool = false, cutting: Bool = false
    ) async throws -> Publication {
        let cut: ConnectionCut =
            options.balancing == nil ? .ports(Set(ports.map(\.listening))) : .service(service)
        return try await surveyed(cutting: cutting ? cut : .none) { spec, view in
            let new = ports.map(\.listening).filter { spec.publisher(of: $0) == nil }
            for port in ports {
                try spec.publish(
                    port.listening, target: port.target, service: service, options: options,
                    avoiding: view.takenMarks)
            }
            let published = new.compactMap { spec.publisher(of: $0)?.port }
            guard !published.isEmpty, let owner = spec.services[service] else { return nil }
            let survey = await HostSurvey(on: view.observed)
            if !force { for port in published { try await survey.refuseConflicts(port, of: owner) } }
            return Surveyed(survey, .ports(published, owner.tasks))
        }
    }

    /// Stops publishing ports, all or none.
    ///
    /// - Parameter cutting: ends the connections to the ports at once.
    public func unpublish(_ ports: Set<PortBinding>, cutting: Bool = false) async throws -> Publication {
        try await surveyed(cutting: cutting ? .ports(ports) : .none) { spec, _ in
            for port in ports.sorted() { try spec.unpublish(port) }
            return nil
        }
    }

    /// Adds a task to a service or changes a task, as ``MeshSpec/addTask(_:service:)`` describes.
    ///
    /// - Parameters:
    ///   - address: the address at which the task is reached.
    ///   - weight: the task's share of new connections.
    ///   - isLocal: whether the task is behind this node, so that its replies come back through the node.
    ///   - replacing: takes the place of the service's attached tasks.
    ///   - cutting: ends the connections by the former path at once.
    public func addTask(
        _ address: IPAddress, weight: UInt32 = 1, isLocal: Bool = false, service: String, replacing: Bool = false,
        cutting: Bool = false
    ) async throws -> Publication {
        try await surveyed(cutting: cutting ? .service(service) : .none) { spec, view in
            if replacing { spec.makeWay(for: .host, service: service) }
            let task = SpecTask(address: address, weight: weight, node: isLocal ? view.ledger.node : nil)
            let tasks = spec.services[service]?.tasks ?? []
            try spec.addTask(task, service: service)
            // A published port comes to life in an address family with the first task of that family.
            guard !tasks.contains(where: { $0.address.family == task.address.family }),
                let ports = spec.services[service]?.ports.filter({ $0.isFor(task) }), !ports.isEmpty
            else { return nil }
            return Surveyed(await HostSurvey(on: view.observed), .ports(ports, [task]))
        }
    }
}
