import IPVSKit
import RuleKit

/// A task that is attached to networks, as the spec describes it.
struct TaskPlacement: Hashable {
    var node: String
    var attachment: TaskAttachment
    /// The families in which the task has a default route of its own.
    var familiesWithWayOut: Set<AddressFamily> { Set(attachment.defaultAddresses.map(\.family)) }

    /// The task's namespace as a place of its node.
    var place: PlaceID { .task(attachment.namespace) }
}

extension TaskPlacement {
    /// A task as the spec describes it; nil for a task that is not attached.
    init?(_ task: SpecTask) {
        guard let node = task.node, let attachment = task.attachment else { return nil }
        self.init(node: node, attachment: attachment)
    }
}

extension MeshRequest {
    /// The attached tasks of this node that can be joined to networks: this host has refused neither them nor all of
    /// their networks. A task has only those of its networks, and of its ways out, that this host has not refused.
    var joinableTasks: [TaskPlacement] {
        let networks = ownNetworks
        let hasGatewayBridge = takesPartInIngress
        return ownAttachedTasks.compactMap { task in
            guard ledger[task.place].refusal == nil else { return nil }
            var task = task
            task.attachment.addresses = task.attachment.addresses.filter { networks[$0.key] != nil }
            if !hasGatewayBridge { task.attachment.gatewayAddresses = [] }
            return task.attachment.addresses.isEmpty ? nil : task
        }
    }

    /// The joinable tasks whose namespaces exist.
    func joinedTasks(on node: NodeFacts) -> [TaskPlacement] { joinableTasks.filter { !node.gone.contains($0.place) } }

    /// This node, if the mesh knows it.
    var ownNode: MeshNode? { spec.nodes[ledger.node] }

    /// The nodes to which overlay networks lead, by name: those with an address of the family that this node's has, without
    /// this one. A VXLAN interface has one family, by default IPv4.
    var peers: [String: IPAddress] { others.filter { $0.value.family == ownNode?.address?.family ?? .ipv4 } }

    /// The nodes to which overlay networks should lead and cannot, since this node's address is of another family.
    var unreachablePeers: [String: IPAddress] { others.filter { peers[$0.key] == nil } }

    private var others: [String: IPAddress] {
        spec.nodes.compactMapValues(\.address).filter { $0.key != ledger.node }
    }

    /// Whether this node takes part in the ingress network.
    var takesPartInIngress: Bool { membership.takesPartInIngress }
    /// The networks that this node takes part in.
    var ownNetworks: [String: MeshNetwork] { membership.networks }
    /// The attached tasks of all nodes.
    var taskPlacements: [TaskPlacement] { membership.tasks }
    /// The attached tasks of this node.
    var ownAttachedTasks: [TaskPlacement] { membership.ownTasks }
}

extension MeshNetwork {
    /// The gateway's address in a subnet: the first.
    static func gateway(of subnet: IPPrefix) -> IPAddress {
        switch subnet.address.storage {
        case .ipv4(let number): IPAddress(ipv4: number + 1)
        case .ipv6(let number): IPAddress(ipv6: number + 1)
        }
    }

    /// The subnets of the given families.
    func subnets(of families: Set<AddressFamily>) -> [IPPrefix] { subnets.filter { families.contains($0.family) } }

    /// An address with the length of the subnet that contains it; nil if none does.
    func prefix(of address: IPAddress) -> InterfacePrefix? {
        subnets.first { $0.contains(address) }.map { InterfacePrefix(address, length: $0.length) }
    }

    /// The hardware address of an interface with the given addresses on the network.
    static func hardwareAddress(_ addresses: [IPAddress]) -> HardwareAddress? {
        addresses.first.map(HardwareAddress.init(onOverlay:))
    }
}
