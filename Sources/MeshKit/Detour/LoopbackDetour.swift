package import IPVSKit
import RuleKit

/// The detour through which clients on the node reach published ports at 127.0.0.1.
///
/// IPVS sends no packet with the source 127.0.0.1 to a task on another host. So such a connection leaves through a veth
/// pair to a helper, which is a network namespace at the other end of the pair, and comes back from there as the
/// connection of an ordinary client:
///
///     client on the node       node                        helper
///     127.0.0.1:P -> 127.0.0.1:1080
///                              N:P -> H:1080        ──>    H:P -> N:1080
///                              H:P -> N:1080        <──
///                              marked, balanced by IPVS
///
/// The replies take the same way back. This part makes the links; RuleKit makes the rules that translate the addresses.
/// The detour exists for IPv4 only, because IPv6 has no `route_localnet`, the setting that lets the kernel send packets
/// from 127.0.0.1 through a link.
package struct LoopbackDetour: DatapathPart {
    /// The name of the node's end.
    package static let interface = "meshctl-lo"
    /// The name of the helper's end.
    package static let helperInterface = "eth0"
    /// N, the node's address. It is in 169.254.0.0/16, which routers do not forward and few networks use.
    package static let nodeAddress: IPAddress = "169.254.113.1"
    /// H, the helper's address.
    package static let helperAddress: IPAddress = "169.254.113.2"
    /// The prefix length of the subnet that contains both addresses.
    package static let prefixLength = 30

    /// The name of the helper's namespace. A node is a network namespace, and one kernel may have several nodes, so
    /// each helper is named after the inode of its node.
    package static func namespaceName(nodeInode: UInt64) -> String { "meshctl-lo-\(nodeInode)" }

    /// The detour as the rules describe it.
    static let detour = Detour(to: helperAddress, by: interface)

    package init() {}

    package func outline(_ request: MeshRequest, into outline: inout Outline) {
        // If the ledger does not know the node's namespace, no detour was ever made.
        guard let home = request.ledger.home else { return }
        outline.places[.loopback] = Self.place(home)
        outline.roles[.loopback] = .turnaround(node: Self.nodeAddress)
        if request.ledger[.loopback].refusal == nil, request.balancesOnHost {
            outline.roles[.node] = .balancer(detour: Self.detour)
        }
        outline.sysctls[.loopback, default: []].formUnion(Self.helperSettings.keys)
        outline.links.append(Self.link(families: Set(AddressFamily.allCases)))
    }

    package func compile(_ request: MeshRequest, on node: NodeFacts, into datapath: inout Datapath) {
        guard let home = request.ledger.home, request.ledger[.loopback].refusal == nil,
            request.balancesOnHost
        else { return }
        datapath[.node].rules.role = .balancer(detour: Self.detour)
        datapath.places[.loopback] = Self.place(home)
        datapath.links.append(Self.link(families: node.families))
        datapath[.loopback].rules = RuleSet(role: .turnaround(node: Self.nodeAddress))
        datapath[.loopback].sysctls = Self.helperSettings
    }

    private static func place(_ home: NamespaceIdentity) -> Place {
        Place(
            id: .loopback, existence: .own(name: namespaceName(nodeInode: home.inode)), isOptional: true,
            families: [.ipv4], rank: 1)
    }

    /// The helper sends packets back through the interface on which they arrived, and must not report that as a detour
    /// by a redirect each time. A new namespace starts with an `rp_filter` value, and any value will do.
    private static let helperSettings = [
        Sysctl.ipv4Forwarding: "1", Sysctl(rawValue: "net/ipv4/conf/all/send_redirects"): "0",
    ]

    private static func link(families: Set<AddressFamily>) -> Link {
        var (helper, node) = (
            LinkEnd(helperInterface, in: .loopback, hardwareAddress: HardwareAddress(derivedFrom: helperAddress)),
            LinkEnd(interface, in: .node, hardwareAddress: HardwareAddress(derivedFrom: nodeAddress))
        )
        helper.addresses = [InterfacePrefix(helperAddress, length: prefixLength)]
        helper.neighbours = [nodeAddress: node.hardwareAddress]
        helper.reaches = [nodeAddress]
        helper.settings = [Sysctl(rawValue: "net/ipv4/conf/\(helperInterface)/send_redirects"): "0"]
        node.addresses = [InterfacePrefix(nodeAddress, length: prefixLength)]
        node.neighbours = [helperAddress: helper.hardwareAddress]
        node.reaches = [helperAddress]
        node.claims = [IPPrefix(nodeAddress, length: prefixLength)]
        // This setting lets packets from and to 127.0.0.0/8 pass this interface, and no other.
        node.settings = [Sysctl(rawValue: "net/ipv4/conf/\(interface)/route_localnet"): "1"]
        if families.contains(.ipv6) {
            // Without IPv6, the ends get no IPv6 addresses and send no router solicitations. Nothing depends on them.
            helper.settings[noIPv6(helperInterface)] = "1"
            node.settings[noIPv6(interface)] = "1"
        }
        return .pair(helper, node, for: .loopback, alias: "meshctl: from 127.0.0.1 to published ports")
    }

    private static func noIPv6(_ interface: String) -> Sysctl {
        Sysctl(rawValue: "net/ipv6/conf/\(interface)/disable_ipv6")
    }
}
