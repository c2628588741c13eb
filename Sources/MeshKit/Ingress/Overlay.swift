import IPVSKit
import RuleKit

/// The overlay networks: for each that this node takes part in, a namespace with a bridge to which the node's tasks are
/// joined, and a VXLAN interface that carries their packets to the tasks of other nodes.
package struct Overlay: DatapathPart {
    package init() {}

    package func outline(_ request: MeshRequest, into outline: inout Outline) {
        let names = Set(request.spec.networks.keys).union(request.ledger.places.keys.compactMap(\.overlayNetwork))
        for name in names.sorted() {
            outline.places[.overlay(name)] = Self.place(name, request)
            outline.sysctls[.overlay(name), default: []].formUnion(Self.bridgeFilters)
        }
        outline.peers = request.overlayPeers
        for (name, network) in request.spec.networks.sorted(by: { $0.key < $1.key }) {
            outline.links += Self.links(name, network, request, families: Set(AddressFamily.allCases))
        }
    }

    package func compile(_ request: MeshRequest, on node: NodeFacts, into datapath: inout Datapath) {
        for (name, network) in request.ownNetworks.sorted(by: { $0.key < $1.key }) {
            datapath.places[.overlay(name)] = Self.place(name, request)
            datapath.links += Self.links(name, network, request, families: node.families)
            // Packets that the bridge forwards must not meet rules: the namespace has none, and needs none.
            datapath[.overlay(name)].sysctls =
                node.hasBridgeFilter ? Dictionary(uniqueKeysWithValues: Self.bridgeFilters.map { ($0, "0") }) : [:]
        }
    }

    private static let bridgeFilters: [Sysctl] = [.bridgesThroughIPTables, .bridgesThroughIP6Tables]

    private static func place(_ name: String, _ request: MeshRequest) -> Place {
        Place(
            id: .overlay(name), existence: .own(name: request.namespaceName(of: .overlay(name))), isOptional: true,
            rank: 2)
    }

    /// The bridge and the VXLAN interface of a network.
    private static func links(
        _ name: String, _ network: MeshNetwork, _ request: MeshRequest, families: Set<AddressFamily>
    ) -> [Link] {
        let place = PlaceID.overlay(name)
        let subnets = network.subnets(of: families)
        let gateways = subnets.map { InterfacePrefix(MeshNetwork.gateway(of: $0), length: $0.length) }
        guard let hardware = MeshNetwork.hardwareAddress(gateways.map(\.address)) else { return [] }
        var bridge = LinkEnd(MeshNames.bridge, in: place, hardwareAddress: hardware)
        bridge.addresses = Set(gateways)
        bridge.mtu = request.overlayMTU
        bridge.settings = Sysctl.quietIPv6(bridge.id.name, families)
        var vxlan = LinkEnd(
            MeshNames.vxlan, in: place, hardwareAddress: network.hardwareAddressOfVXLAN(on: request.ownNode))
        vxlan.bridge = MeshNames.bridge
        vxlan.mtu = request.overlayMTU
        vxlan.settings = Sysctl.quietIPv6(vxlan.id.name, families)
        let peers = request.peers
        for member in network.members(name, request.taskPlacements) {
            guard let peer = peers[member.node], let hardware = MeshNetwork.hardwareAddress(member.addresses)
            else { continue }
            vxlan.forwarding[hardware] = peer
            for address in member.addresses where families.contains(address.family) {
                vxlan.neighbours[address] = hardware
            }
        }
        let settings = VXLAN(identifier: network.identifier, port: network.port, local: request.ownNode?.address)
        return [
            .single(.bridge, bridge, for: place, alias: "meshctl: the bridge of the network \(name)"),
            .single(.vxlan(settings), vxlan, for: place, alias: "meshctl: the network \(name) on other nodes"),
        ]
    }
}

extension MeshRequest {
    /// The addresses of the nodes to which this node's overlay networks lead.
    var overlayPeers: Set<IPAddress> { ownNetworks.isEmpty ? [] : Set(peers.values) }

    /// The greatest length of a packet on overlay networks. Packets between nodes have the headers of Ethernet, IP, UDP
    /// and VXLAN besides.
    var overlayMTU: UInt32 {
        let underlay = underlayMTU ?? 1500
        // Less than 1280 would end IPv6.
        return max(underlay - min(underlay, ownNode?.address?.family == .ipv6 ? 70 : 50), 1280)
    }
}

extension MeshNetwork {
    /// One interface on the network, with its node.
    struct Member: Hashable {
        var node: String
        /// The addresses of the interface. The hardware address is derived from the first.
        var addresses: [IPAddress]
    }

    /// The interfaces of all nodes on the network: of balancers and of tasks.
    func members(_ name: String, _ tasks: [TaskPlacement]) -> [Member] {
        balancers.map { Member(node: $0, addresses: $1) }
            + tasks.compactMap { task in
                task.attachment.addresses[name].map { Member(node: task.node, addresses: $0) }
            }
    }

    fileprivate func hardwareAddressOfVXLAN(on node: MeshNode?) -> HardwareAddress {
        let number = UInt16(truncatingIfNeeded: node?.number ?? 0)
        return HardwareAddress([
            0x02, 0x4D, UInt8(truncatingIfNeeded: identifier >> 8), UInt8(truncatingIfNeeded: identifier),
            UInt8(number >> 8), UInt8(truncatingIfNeeded: number),
        ])
    }
}
