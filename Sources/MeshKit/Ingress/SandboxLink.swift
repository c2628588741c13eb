import IPVSKit
import RuleKit

/// The link between a node and its sandbox. Its networks are link-local or reserved for private use, and no other
/// interface of the node may have them.
enum SandboxLink {
    /// The addresses of both ends, IPv4 first.
    static let addresses = PairAddresses(
        node: [InterfacePrefix("169.254.113.5", length: 30), InterfacePrefix("fd6d:6573:6863:746c::1", length: 64)],
        place: [InterfacePrefix("169.254.113.6", length: 30), InterfacePrefix("fd6d:6573:6863:746c::2", length: 64)])

    /// The link, which has addresses of the given families.
    static func link(_ families: Set<AddressFamily>) -> Link {
        let addresses = addresses.filtered(by: families)
        var (inner, outer) = (
            LinkEnd(
                MeshNames.sandboxNode, in: .sandbox,
                hardwareAddress: HardwareAddress(derivedFrom: Self.addresses.place[0].address)),
            LinkEnd(
                MeshNames.sandboxLink, in: .node,
                hardwareAddress: HardwareAddress(derivedFrom: Self.addresses.node[0].address))
        )
        addresses.assign(to: &outer, and: &inner)
        for near in addresses.node.map(\.address) { inner.routes.insert(.byDefault(near.family, via: near)) }
        // Packets from and to 127.0.0.0/8 may pass this interface, and no other. IPv6 has no such setting: there, a
        // route makes ::1 the node's own address on this interface, too.
        outer.settings = Sysctl.quietIPv6(outer.id.name, families)
        outer.settings.merge(Sysctl.forwardingIPv4(outer.id.name)) { $1 }
        inner.settings = Sysctl.quietIPv6(inner.id.name, families)
        outer.settings[Sysctl(rawValue: "net/ipv4/conf/\(MeshNames.sandboxLink)/route_localnet")] = "1"
        if families.contains(.ipv6) { outer.answerIPv6Loopback() }
        return .pair(inner, outer, for: .sandbox, alias: "meshctl: from the node to the sandbox")
    }
}
