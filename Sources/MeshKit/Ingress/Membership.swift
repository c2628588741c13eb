import IPVSKit
import RuleKit

/// The attached tasks of the mesh, and what they make this node take part in.
struct Membership: Equatable, Sendable {
    /// The attached tasks of the spec, each once although a task may belong to several services; and those that have left
    /// the spec but still have connections.
    let tasks: [TaskPlacement]
    /// The tasks of this node, with the default routes that they have of their own now.
    let ownTasks: [TaskPlacement]
    /// Whether this node takes part in the ingress network: published ports lead to it, or tasks of this node are on it,
    /// or connections are left of ports that led to it.
    let takesPartInIngress: Bool
    /// The networks that this node takes part in.
    let networks: [String: MeshNetwork]

    /// - Parameter defaultAddresses: the source addresses of the default routes that this node's tasks have of their own,
    ///   where they are known. The spec says which they had when they were attached.
    init(_ spec: MeshSpec, _ ledger: Ledger, _ defaultAddresses: [PlaceID: [IPAddress]]) {
        tasks = spec.taskPlacements + Self.left(spec, ledger)
        let own = tasks.filter { $0.node == ledger.node }.map { task in
            var task = task
            guard let found = defaultAddresses[task.place] else { return task }
            task.attachment.defaultAddresses = found
            return task
        }
        ownTasks = own
        let hasIngress =
            ledger[.sandbox].refusal == nil && ledger[.overlay(MeshNetwork.ingress)].refusal == nil
            && spec.networks[MeshNetwork.ingress]?.balancers[ledger.node] != nil && spec.nodes[ledger.node] != nil
        let takesPart =
            hasIngress && (spec.publishes(by: .ingress) || !ledger[.sandbox].retiring.isEmpty || !own.isEmpty)
        takesPartInIngress = takesPart
        networks = spec.networks.filter { name, _ in
            guard ledger[.overlay(name)].refusal == nil else { return false }
            return name == MeshNetwork.ingress ? takesPart : own.contains { $0.attachment.addresses[name] != nil }
        }
    }

    /// The attached tasks that have left the spec but still have connections.
    private static func left(_ spec: MeshSpec, _ ledger: Ledger) -> [TaskPlacement] {
        let left = ledger[.sandbox].retiring.flatMap(\.tasks).filter { !spec.usesAgain($0) }
            .compactMap(TaskPlacement.init)
        guard !left.isEmpty else { return [] }
        return Set(left).subtracting(spec.taskPlacements).sorted { $0.place < $1.place }
    }
}

extension MeshSpec {
    /// The attached tasks of all services, each once.
    var taskPlacements: [TaskPlacement] {
        var seen: Set<TaskPlacement> = []
        return services.sorted { $0.key < $1.key }.flatMap(\.value.tasks).compactMap { task in
            guard let attached = TaskPlacement(task) else { return nil }
            return seen.insert(attached).inserted ? attached : nil
        }
    }
}
