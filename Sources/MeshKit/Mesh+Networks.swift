public import IPVSKit
import Netlink
public import RuleKit

/// The result of a change of attached tasks.
public struct TaskChange: Sendable {
    /// The new spec, and the changes made to the kernel.
    public var change: MeshChange
    /// The tasks that were attached or detached.
    public var tasks: [SpecTask]
    /// The obstacles that still keep clients from the service, each with the command that removes it where there is one.
    public var warnings: [String] = []
}

extension Mesh {
    /// Adds a node or sets the address of a node, as ``MeshSpec/addNode(_:address:gatewaySubnets:avoiding:)`` describes.
    /// The networks and the kernel of this host count for this node only. If the gateway subnets are of one family, the
    /// gateway bridge keeps its subnet of the other family, or gets a free one.
    public func addNode(
        _ name: String, address: IPAddress?, gatewaySubnets: [IPPrefix]? = nil
    ) async throws -> Publication {
        try await joined { spec, view in
            let isOwn = name == view.ledger.node
            let host = isOwn ? try await kernel.hostNetworks() : HostNetworks()
            try spec.addNode(name, address: address, choosing: gatewaySubnets, avoiding: host)
            if isOwn { await recordZones(of: name, in: &spec) }
        }
    }

    /// Records whether this node's kernel has conntrack zones, unless the kernel does not say.
    func recordZones(of node: String, in spec: inout MeshSpec) async {
        if let hasZones = await kernel.hasZones() { spec.nodes[node]?.hasZones = hasZones }
    }

    /// Edits what overlay networks have to carry between the nodes, and says what keeps their packets from this node.
    private func joined(
        _ edit: @Sendable @escaping (inout MeshSpec, MeshView) async throws -> Void
    ) async throws -> Publication {
        try await surveyed { spec, view in
            try await edit(&spec, view)
            guard spec != view.spec else { return nil }
            return Surveyed(await HostSurvey(on: view.observed), .overlays)
        }
    }

    /// Removes a node that has no attached tasks.
    public func removeNode(_ name: String) async throws -> MeshChange {
        try await change { spec, _ in try spec.removeNode(name) }
    }

    /// Creates an overlay network, as ``MeshSpec/createNetwork(_:subnets:identifier:avoiding:)`` describes.
    public func createNetwork(
        _ name: String, subnets: [IPPrefix] = [], identifier: UInt32? = nil
    ) async throws -> Publication {
        try await joined { spec, _ in
            try spec.createNetwork(
                name, subnets: subnets, identifier: identifier, avoiding: try await kernel.hostNetworks())
        }
    }

    /// Puts services with their attached tasks on a user network, as ``MeshSpec/connect(_:to:avoiding:)`` describes.
    public func connect(_ services: [String], to network: String) async throws -> Publication {
        try await joined { spec, view in try spec.connect(services, to: network, avoiding: view.takenMarks) }
    }

    /// Takes services with their attached tasks off a user network, as ``MeshSpec/disconnect(_:from:)`` describes.
    public func disconnect(_ services: [String], from network: String) async throws -> MeshChange {
        try await change { spec, _ in try spec.disconnect(services, from: network) }
    }

    /// Removes an overlay network that neither tasks nor services are on.
    public func removeNetwork(_ name: String) async throws -> MeshChange {
        try await change { spec, _ in try spec.removeNetwork(name) }
    }

    /// Attaches a task to the network `ingress` and to user networks, as ``MeshSpec/attach(_:service:avoiding:)``
    /// describes. The first task of this node also makes the node and the network `ingress`.
    ///
    /// - Parameters:
    ///   - namespace: the file that refers to the task's network namespace on the task's node.
    ///   - container: the name of the container whose namespace it is; nil if it was named otherwise.
    ///   - node: the name of the task's node; nil for this node. The namespace of a task on this node is looked at; that
    ///     of another is taken for one without default routes.
    ///   - networks: the user networks; nil for those that the service is on.
    ///   - address: an address that the task is to have on one of its networks; nil for the lowest free ones.
    ///   - weight: the task's share of new connections.
    ///   - replacing: takes the place of the service's tasks that the host's routes reach.
    ///   - cutting: ends the connections by the former path at once.
    /// - Throws: ``InputError`` if there is no such namespace, or the input is invalid.
    public func attach(
        _ namespace: String, container: String? = nil, service: String, node: String? = nil,
        networks: [String]? = nil, address: IPAddress? = nil, weight: UInt32 = 1, replacing: Bool = false,
        cutting: Bool = false
    ) async throws -> TaskChange {
        try await tasks(cutting: cutting ? .service(service) : .none) { spec, view in
            let own = view.ledger.node
            var request = TaskAttachmentRequest(
                namespace: namespace, container: container, node: node ?? own, networks: networks, address: address,
                weight: weight)
            if request.node == own {
                let facts = try await kernel.taskFacts(at: namespace)
                request.inode = facts.inode
                request.defaultAddresses = facts.defaultAddresses
                request.isBare = facts.isBare
                request.ended = Set(view.observed.node.gone.compactMap(\.taskNamespace))
            } else {
                _ = try spec.node(request.node)
            }
            if replacing { spec.makeWay(for: .ingress, service: service) }
            if spec.nodes[request.node] == nil || spec.networks[MeshNetwork.ingress] == nil {
                try spec.ensureIngress(node: request.node, avoiding: try await kernel.hostNetworks())
            }
            let task = try spec.attach(request, service: service, avoiding: view.takenMarks)
            guard request.node == own else { return ([task], nil) }
            await recordZones(of: own, in: &spec)
            // The node begins to forward with its first attached task, and ports come to life with the first one of all.
            let isFirstHere = !view.spec.attachedTasks().contains { $0.task.node == own }
            let isFirstOfAll = view.spec.services[service]?.tasks.isEmpty ?? true
            guard isFirstHere || isFirstOfAll || replacing else { return ([task], nil) }
            let survey = await HostSurvey(on: view.observed)
            return ([task], Surveyed(survey, .ports(spec.services[service]?.ports ?? [], [task])))
        }
    }

    /// Detaches tasks of a service, and frees their addresses. Their open connections go on, as
    /// ``removeTask(_:service:cutting:)`` says.
    ///
    /// - Parameter cutting: ends the connections at once.
    public func detach(
        _ which: TaskSelection, service: String, cutting: Bool = false
    ) async throws -> TaskChange {
        try await edit(which, service: service, cutting: cutting) { spec, which throws(InputError) in
            try spec.detach(which, service: service)
        }
    }

    func tasks(
        cutting cut: ConnectionCut = .none,
        _ edit: @Sendable @escaping (inout MeshSpec, MeshView) async throws -> ([SpecTask], Surveyed?)
    ) async throws -> TaskChange {
        let found = Locked<[SpecTask]>([])
        let publication = try await surveyed(cutting: cut) { spec, view in
            let (tasks, surveyed) = try await edit(&spec, view)
            found.withLock { $0 = tasks }
            return surveyed
        }
        return TaskChange(
            change: publication.change, tasks: found.withLock(\.self), warnings: publication.warnings)
    }
}
