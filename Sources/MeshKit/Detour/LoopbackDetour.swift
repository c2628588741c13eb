package import IPVSKit
import RuleKit

/// The detour through which clients on the node reach published ports at 127.0.0.1 and ::1.
///
/// IPVS sends no packet with the source 127.0.0.1 or ::1 to a task on another host. So such a connection leaves through a
/// veth pair to a helper, which is a network namespace at the other end of the pair, and comes back from there as the
/// connection of an ordinary client:
///
///     client on the node       node                        helper
///     127.0.0.1:P -> 127.0.0.1:1080
///                              N:P -> H:1080        ──>    H:P -> N:1080
///                              H:P -> N:1080        <──
///                              marked, balanced by IPVS
///
/// The replies take the same way back. This part makes the links; RuleKit makes the rules that translate the addresses.
/// The detour has IPv6 addresses only while a service of the node's own balancer has an IPv6 task: otherwise they would
/// make programs believe that the host had IPv6 connectivity.
package struct LoopbackDetour: DatapathPart {
    /// The name of the node's end.
    package static let interface = "meshctl-lo"
    /// The name of the helper's end.
    package static let helperInterface = "eth0"
    /// N, the node's addresses, and H, the helper's, IPv4 first. 169.254.0.0/16 is not forwarded by routers, and few networks
    /// use it.
    static let addresses = PairAddresses(
        node: [InterfacePrefix("169.254.113.1", length: 30), InterfacePrefix("fd6d:6573:6863:746d::1", length: 64)],
        place: [InterfacePrefix("169.254.113.2", length: 30), InterfacePrefix("fd6d:6573:6863:746d::2", length: 64)])
    /// N of IPv4.
    package static let nodeAddress = addresses.node[0].address
    /// H of IPv4.
    package static let helperAddress = addresses.place[0].address

    /// The name of the helper's namespace. A node is a network namespace, and one kernel may have several nodes, so
    /// each helper is named after the inode of its node.
    package static func namespaceName(nodeInode: UInt64) -> String { "meshctl-lo-\(nodeInode)" }

    package init() {}

    package func outline(_ request: MeshRequest, into outline: inout Outline) {
        // If the ledger does not know the node's namespace, no detour was ever made.
        guard let home = request.ledger.home else { return }
        let families = Self.families(request)
        outline.places[.loopback] = Self.place(home, families)
        outline.roles[.loopback] = Self.turnaround(families)
        if request.ledger[.loopback].refusal == nil, request.balancesOnHost {
            outline.roles[.node] = .balancer(detour: Self.detour(families))
        }
        outline.sysctls[.loopback, default: []].formUnion(Self.helperSettings(Set(AddressFamily.allCases)).keys)
        outline.links.append(Self.link(families, ofKernel: Set(AddressFamily.allCases)))
    }

    package func compile(_ request: MeshRequest, on node: NodeFacts, into datapath: inout Datapath) {
        guard let home = request.ledger.home, request.ledger[.loopback].refusal == nil,
            request.balancesOnHost
        else { return }
        let families = Self.families(request).intersection(node.families)
        datapath[.node].rules.role = .balancer(detour: Self.detour(families))
        datapath.places[.loopback] = Self.place(home, families)
        datapath.links.append(Self.link(families, ofKernel: node.families))
        datapath[.loopback].rules = RuleSet(role: Self.turnaround(families))
        datapath[.loopback].sysctls = Self.helperSettings(families)
    }

    /// The families in which connections to loopback addresses are balanced.
    private static func families(_ request: MeshRequest) -> Set<AddressFamily> {
        request.hasIPv6TasksOnHost ? [.ipv4, .ipv6] : [.ipv4]
    }

    private static func detour(_ families: Set<AddressFamily>) -> Detour {
        Detour(to: addresses.filtered(by: families).place.map(\.address), by: interface)
    }

    private static func turnaround(_ families: Set<AddressFamily>) -> RuleRole {
        .turnaround(node: addresses.filtered(by: families).node.map(\.address))
    }

    private static func place(_ home: NamespaceIdentity, _ families: Set<AddressFamily>) -> Place {
        Place(
            id: .loopback, existence: .own(name: namespaceName(nodeInode: home.inode)), isOptional: true,
            families: families, rank: 1)
    }

    /// The helper sends packets back through the interface on which they arrived, and must not report that as a detour
    /// by a redirect each time. IPv6 sends no redirect to a source that was translated. A new namespace starts with an
    /// `rp_filter` value, and any value will do.
    private static func helperSettings(_ families: Set<AddressFamily>) -> [Sysctl: String] {
        var settings: [Sysctl: String] = [
            .ipv4Forwarding: "1", Sysctl(rawValue: "net/ipv4/conf/all/send_redirects"): "0",
        ]
        if families.contains(.ipv6) { settings[.ipv6Forwarding] = "1" }
        return settings
    }

    /// - Parameter ofKernel: the families that the kernel has.
    private static func link(_ families: Set<AddressFamily>, ofKernel all: Set<AddressFamily>) -> Link {
        let addresses = addresses.filtered(by: families)
        var (helper, node) = (
            LinkEnd(helperInterface, in: .loopback, hardwareAddress: HardwareAddress(derivedFrom: helperAddress)),
            LinkEnd(interface, in: .node, hardwareAddress: HardwareAddress(derivedFrom: nodeAddress))
        )
        addresses.assign(to: &node, and: &helper)
        helper.reaches = Set(addresses.node.map(\.address))
        node.reaches = Set(addresses.place.map(\.address))
        helper.settings = settings(of: helperInterface, families, ofKernel: all)
        node.settings = settings(of: interface, families, ofKernel: all)
        node.settings.merge(Sysctl.forwardingIPv4(interface)) { $1 }
        helper.settings[Sysctl(rawValue: "net/ipv4/conf/\(helperInterface)/send_redirects")] = "0"
        // This setting lets packets from and to 127.0.0.0/8 pass this interface, and no other.
        node.settings[Sysctl(rawValue: "net/ipv4/conf/\(interface)/route_localnet")] = "1"
        if families.contains(.ipv6) { node.answerIPv6Loopback() }
        return .pair(helper, node, for: .loopback, alias: "meshctl: from 127.0.0.1 to published ports")
    }

    /// Without IPv6, the ends get no IPv6 addresses and send no router solicitations.
    private static func settings(
        of interface: String, _ families: Set<AddressFamily>, ofKernel all: Set<AddressFamily>
    ) -> [Sysctl: String] {
        guard all.contains(.ipv6) else { return [:] }
        var settings = Sysctl.quietIPv6(interface, families)
        settings[Sysctl(rawValue: "net/ipv6/conf/\(interface)/disable_ipv6")] = families.contains(.ipv6) ? "0" : "1"
        return settings
    }
}
