import IPVSKit
import MeshKit
import RuleKit

extension Sequence<String> {
    /// Names of networks in order, `ingress` before the others.
    var ingressFirst: [String] {
        sorted { ($0 == MeshNetwork.ingress) == ($1 == MeshNetwork.ingress) ? $0 < $1 : $0 == MeshNetwork.ingress }
    }
}

/// The properties that `network ls` and `network inspect` print.
struct NetworkFields: Encodable {
    var name: String
    var driver = "vxlan"
    var scope = "mesh"
    /// The VXLAN network identifier.
    var identifier: UInt32
    /// The UDP port of encapsulated packets.
    var port: UInt16
    var subnets: [IPPrefix]
    var gateways: [IPAddress]

    init(_ name: String, _ network: MeshNetwork) {
        self.name = name
        identifier = network.identifier
        port = network.port
        subnets = network.subnets
        gateways = network.gateways
    }
}

/// `network ls`.
struct NetworkReport: Display {
    struct Row: Encodable {
        var fields: NetworkFields
        /// The number of tasks on the network.
        var tasks: Int

        private enum CodingKeys: String, CodingKey { case tasks }

        func encode(to encoder: any Encoder) throws {
            try fields.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(tasks, forKey: .tasks)
        }
    }

    var networks: [Row]

    init(_ saved: SavedMesh) {
        let attachments = saved.spec.services.values.flatMap(\.tasks).compactMap(\.attachment)
        networks = saved.spec.networks.sorted { $0.value.identifier < $1.value.identifier }.map { name, network in
            Row(fields: NetworkFields(name, network), tasks: attachments.count { $0.addresses[name] != nil })
        }
    }

    var lines: [String] {
        TextTable(
            columns: [
                .init(title: "NETWORK"), .init(title: "DRIVER"), .init(title: "SCOPE"),
                .init(title: "VNI", isNumeric: true), .init(title: "SUBNETS"), .init(title: "TASKS", isNumeric: true),
            ],
            rows: networks.map { row in
                [
                    row.fields.name, row.fields.driver, row.fields.scope, "\(row.fields.identifier)",
                    row.fields.subnets.map(\.description).joined(separator: ","), "\(row.tasks)",
                ]
            }
        ).render()
    }
}

/// `network inspect`: the network, the services and tasks on it, and the nodes that carry it.
struct NetworkDetails: Display {
    struct Task: Encodable {
        var service: String
        var node: String?
        var hardwareAddress: String
        var addresses: [IPAddress]
    }

    struct Service: Encodable {
        var name: String
        var addresses: [IPAddress]
        var mark: UInt32
    }

    struct Peer: Encodable {
        var node: String
        /// Nil for a node that the others do not reach.
        var address: IPAddress?
    }

    var fields: NetworkFields
    /// The addresses of this node's balancer on the network; empty if this host is no node of the mesh.
    var balancer: [IPAddress]
    var services: [Service]
    var tasks: [Task]
    var peers: [Peer]

    private enum CodingKeys: String, CodingKey { case balancer, services, tasks, peers }

    func encode(to encoder: any Encoder) throws {
        try fields.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(balancer, forKey: .balancer)
        try container.encode(services, forKey: .services)
        try container.encode(tasks, forKey: .tasks)
        try container.encode(peers, forKey: .peers)
    }

    init(_ name: String, _ network: MeshNetwork, in saved: SavedMesh) {
        fields = NetworkFields(name, network)
        balancer = network.balancers[saved.node] ?? []
        let sorted = saved.spec.services.sorted { $0.key < $1.key }
        services = sorted.compactMap { service, value in
            value.virtualAddresses[name].map {
                Service(name: service, addresses: $0.addresses, mark: $0.mark.rawValue)
            }
        }
        tasks = sorted.flatMap { service, value in
            value.tasks.compactMap { task in
                guard let addresses = task.attachment?.addresses[name], let first = addresses.first else { return nil }
                return Task(
                    service: service, node: task.node,
                    hardwareAddress: HardwareAddress(onOverlay: first).description, addresses: addresses)
            }
        }
        peers = saved.spec.nodes.sorted { $0.value.number < $1.value.number }
            .filter { $0.key != saved.node }
            .map { Peer(node: $0.key, address: $0.value.address) }
    }

    var lines: [String] {
        func text(_ addresses: [IPAddress]) -> String {
            addresses.isEmpty ? "-" : addresses.map(\.description).joined(separator: ",")
        }
        let properties = TextTable(
            columns: [.init(title: "NETWORK"), .init(title: fields.name)],
            rows: [
                ["driver", fields.driver], ["scope", fields.scope], ["VNI", "\(fields.identifier)"],
                ["UDP port", "\(fields.port)"], ["subnets", fields.subnets.map(\.description).joined(separator: ",")],
                ["gateways", text(fields.gateways)], ["balancer", text(balancer)],
            ])
        let services = TextTable(
            columns: [.init(title: "SERVICE"), .init(title: "ADDRESSES"), .init(title: "MARK")],
            rows: services.map {
                [$0.name, text($0.addresses), FirewallMark(rawValue: $0.mark)?.description ?? "\($0.mark)"]
            })
        let tasks = TextTable(
            columns: [
                .init(title: "TASK"), .init(title: "NODE"), .init(title: "HARDWARE ADDRESS"),
                .init(title: "ADDRESSES"),
            ],
            rows: tasks.map { [$0.service, $0.node ?? "-", $0.hardwareAddress, text($0.addresses)] })
        let peers = TextTable(
            columns: [.init(title: "PEER"), .init(title: "ADDRESS")],
            rows: peers.map { [$0.node, $0.address?.description ?? "-"] })
        return [properties, services, tasks, peers].map { $0.render() }.joined(separator: [""]).map(\.self)
    }
}
