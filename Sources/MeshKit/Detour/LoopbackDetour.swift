package import IPVSKit
import RuleKit

/// The way by which 127.0.0.1 reaches published ports.
///
/// IPVS sends nothing that comes from 127.0.0.1 to a task elsewhere. So such a connection goes out to a helper, a
/// network namespace at the other end of a veth pair, and comes back from there as that of an ordinary client:
///
///     client on the node       node                        helper
///     127.0.0.1:P -> 127.0.0.1:1080
///                              N:P -> H:1080        ──>    H:P -> N:1080
///                              H:P -> N:1080        <──
///                              marked, balanced by IPVS
///
/// The replies go back the same way. This is about the links; the rules that translate the addresses are RuleKit's.
/// IPv4 only: what makes the kernel send from 127.0.0.1 by a link, `route_localnet`, IPv6 has not.
package struct LoopbackDetour: DatapathPart {
    /// The node's end.
    package static let interface = "meshctl-lo"
    /// The helper's end.
    package static let helperInterface = "eth0"
    /// N, the node's address. Of 169.254.0.0/16, which routers do not forward and networks seldom number.
    package static let nodeAddress: IPAddress = "169.254.113.1"
    /// H, the helper's.
    package static let helperAddress: IPAddress = "169.254.113.2"
    /// Of the subnet that holds these two.
    package static let prefixLength = 30

    /// Nodes are network namespaces, of which one kernel may have several: each has a helper called after it.
    package static func namespaceName(nodeInode: UInt64) -> String { "meshctl-lo-\(nodeInode)" }

    /// As the rules know it.
    static let detour = Detour(.loopback, to: helperAddress, by: interface)

    package init() {}

    package func outline(_ request: MeshRequest, into outline: inout Outline) {
        // Without the namespace of the node nothing was ever made.
        guard let home = request.ledger.home else { return }
        outline.places[.loopback] = Self.place(home)
        outline.roles[.loopback] = .turnaround(node: Self.nodeAddress)
        if request.ledger[.loopback].refusal == nil { outline.roles[.node] = .balancer(detour: Self.detour) }
        outline.sysctls[.loopback, default: []].formUnion(Self.helperSettings.keys)
        outline.links.append(Self.link(families: Set(AddressFamily.allCases)))
    }

    package func compile(_ request: MeshRequest, on node: NodeFacts, into datapath: inout Datapath) {
        guard let home = request.ledger.home, request.ledger[.loopback].refusal == nil, request.publishesAnything
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

    /// The helper sends back by the interface by which it came, without saying each time that this is a detour. Any
    /// `rp_filter` will do, which a new namespace has from the first.
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
        // Lets packets from and to 127.0.0.0/8 pass this interface, and no other.
        node.settings = [Sysctl(rawValue: "net/ipv4/conf/\(interface)/route_localnet"): "1"]
        if families.contains(.ipv6) {
            // No addresses and router solicitations of IPv6: nothing depends on them.
            helper.settings[noIPv6(helperInterface)] = "1"
            node.settings[noIPv6(interface)] = "1"
        }
        return .pair(helper, node, for: .loopback, alias: "meshctl: from 127.0.0.1 to published ports")
    }

    private static func noIPv6(_ interface: String) -> Sysctl {
        Sysctl(rawValue: "net/ipv6/conf/\(interface)/disable_ipv6")
    }
}
