import IPVSKit
import RuleKit

/// The link between a node and its sandbox. Its networks are link-local or reserved for private use, and no other
/// interface of the node may have them.
enum SandboxLink {
    /// The node's addresses, IPv4 first.
    static let node: [InterfacePrefix] = [
        InterfacePrefix("169.254.113.5", length: 30), InterfacePrefix("fd6d:6573:6863:746c::1", length: 64),
    ]
    /// The sandbox's addresses, IPv4 first.
    static let sandbox: [InterfacePrefix] = [
        InterfacePrefix("169.254.113.6", length: 30), InterfacePrefix("fd6d:6573:6863:746c::2", length: 64),
    ]

    /// The link, which has addresses of the given families.
    static func link(_ families: Set<AddressFamily>) -> Link {
        let own = node.filter { families.contains($0.address.family) }
        let others = sandbox.filter { families.contains($0.address.family) }
        var (inner, outer) = (
            LinkEnd(
                MeshNames.sandboxNode, in: .sandbox, hardwareAddress: HardwareAddress(derivedFrom: sandbox[0].address)),
            LinkEnd(
                MeshNames.sandboxLink, in: .node, hardwareAddress: HardwareAddress(derivedFrom: node[0].address))
        )
        inner.addresses = Set(others)
        outer.addresses = Set(own)
        for (near, far) in zip(own, others) {
            inner.neighbours[near.address] = outer.hardwareAddress
            outer.neighbours[far.address] = inner.hardwareAddress
            inner.routes.insert(.byDefault(near.address.family, via: near.address))
            outer.claims.append(near.network)
        }
        // Packets from and to 127.0.0.0/8 may pass this interface, and no other. IPv6 has no such setting: there, a
        // route makes ::1 the node's own address on this interface, too.
        outer.settings = Sysctl.quietIPv6(outer.id.name, families)
        inner.settings = Sysctl.quietIPv6(inner.id.name, families)
        outer.settings[Sysctl(rawValue: "net/ipv4/conf/\(MeshNames.sandboxLink)/route_localnet")] = "1"
        if families.contains(.ipv6) { outer.routes.insert(Route(to: IPPrefix("::1"), table: .local)) }
        return .pair(inner, outer, for: .sandbox, alias: "meshctl: from the node to the sandbox")
    }
}
