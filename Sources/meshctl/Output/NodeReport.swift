import IPVSKit
import MeshKit
import RuleKit

/// `node ls`.
struct NodeReport: Display {
    struct Row: Encodable {
        var name: String
        /// Nil for a node that the others do not reach.
        var address: IPAddress?
        var number: Int
        var gatewaySubnets: [IPPrefix]
        /// The number of attached tasks.
        var tasks: Int
        /// Whether it is this node.
        var own: Bool
    }

    var nodes: [Row]

    init(_ saved: SavedMesh) {
        let tasks = Dictionary(grouping: saved.spec.services.values.flatMap(\.tasks).filter { $0.attachment != nil }) {
            $0.node ?? ""
        }
        nodes = saved.spec.nodes.sorted { $0.value.number < $1.value.number }.map { name, node in
            Row(
                name: name, address: node.address, number: node.number, gatewaySubnets: node.gatewaySubnets,
                tasks: tasks[name]?.count ?? 0, own: name == saved.node)
        }
    }

    var lines: [String] {
        TextTable(
            columns: [
                .init(title: "NODE"), .init(title: "ADDRESS"), .init(title: "GATEWAY SUBNETS"),
                .init(title: "TASKS", isNumeric: true),
            ],
            rows: nodes.map { node in
                [
                    node.name + (node.own ? " (this node)" : ""), node.address?.description ?? "-",
                    node.gatewaySubnets.map(\.description).joined(separator: ","), "\(node.tasks)",
                ]
            }
        ).render()
    }
}
