import IPVSKit
import MeshKit
import RuleKit

/// `task ls`.
struct TaskReport: Display {
    struct Row: Encodable {
        var service: String
        var address: IPAddress
        var weight: UInt32
        /// Whether the task drains: it gets no new connections, whatever its weight.
        var draining: Bool
        /// Whether the task's source says that it cannot serve.
        var unhealthy: Bool
        /// Whether the task has less than its share of new connections on this node, since it is new or was not healthy.
        var startingSlowly: Bool
        /// Who has found the task; nil for one of the operator's.
        var source: String?
        var local: Bool
        /// The name of the node that the task is behind or on; nil if nobody said.
        var node: String?
        /// Nil for a task that the host's routes reach.
        var attachment: AttachmentFields?
        /// Nil if no port of the service leads to the task.
        var clientAddress: ClientAddress?
    }

    var tasks: [Row]

    /// - Parameter service: nil for the tasks of all services.
    init(_ saved: SavedMesh, service: String?) throws {
        if let service { _ = try saved.spec.service(service) }
        let own = try NodeAddress.all()
        let local = saved.localAddresses
        tasks = saved.spec.services.sorted { $0.key < $1.key }
            .filter { service == nil || $0.key == service }
            .flatMap { name, service in
                service.tasks.map {
                    Row(
                        service: name, address: $0.address, weight: $0.weight, draining: $0.isDraining,
                        unhealthy: $0.isUnhealthy, startingSlowly: saved.isStarting($0, of: name),
                        source: $0.origin?.description,
                        local: local.contains($0.address) || $0.isAttached(to: saved.node), node: $0.node,
                        attachment: AttachmentFields($0),
                        clientAddress: ClientAddress(service.ports, [$0], local: local, own: own))
                }
            }
    }

    /// The nodes and networks have columns only if any task is attached, and containers and sources only if there are any.
    var lines: [String] {
        let isAttached = tasks.contains { $0.attachment != nil }
        let isContainer = tasks.contains { $0.attachment?.container != nil }
        let isFound = tasks.contains { $0.source != nil }
        let columns: [TextTable.Column] = [
            .init(title: "SERVICE"), .init(title: "ADDRESS"), .init(title: "WEIGHT", isNumeric: true),
            .init(title: "CLIENT IP"),
        ]
        return TextTable(
            columns: columns + (isAttached ? [.init(title: "NODE"), .init(title: "NETWORKS")] : [])
                + (isContainer ? [.init(title: "CONTAINER")] : []) + (isFound ? [.init(title: "FOUND BY")] : []),
            rows: tasks.map { task in
                [
                    task.service, "\(task.address)",
                    shown(task.weight, task.draining, task.unhealthy, task.startingSlowly),
                    task.clientAddress?.rawValue ?? "-",
                ]
                    + (isAttached
                        ? [task.node ?? "-", task.attachment?.names.joined(separator: ",") ?? "-"] : [])
                    + (isContainer ? [task.attachment?.container ?? "-"] : []) + (isFound ? [task.source ?? "-"] : [])
            }
        ).render()
    }
}

/// A task's weight: `2`, `2, draining`, `2, unhealthy` or `2, starting slowly`.
func shown(_ weight: UInt32, _ isDraining: Bool, _ isUnhealthy: Bool, _ isStarting: Bool) -> String {
    "\(weight)\(isDraining ? ", draining" : "")\(isUnhealthy ? ", unhealthy" : "")"
        + (isStarting ? ", starting slowly" : "")
}

extension SpecTask {
    fileprivate func isAttached(to node: String) -> Bool { attachment != nil && self.node == node }
}
