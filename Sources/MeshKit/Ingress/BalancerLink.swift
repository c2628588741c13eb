import IPVSKit
import RuleKit

extension MeshRequest {
    /// The link between a balancer of this node and the node's bridge of a network; none if the spec has no address for
    /// it.
    ///
    /// - Parameter virtual: the addresses of services that the balancer answers for.
    func balancerLinks(
        _ balancer: PlaceID, on name: String, virtual: Set<IPAddress> = [], families: Set<AddressFamily>
    ) -> [Link] {
        guard let network = spec.networks[name], let addresses = network.balancers[ledger.node],
            let hardware = MeshNetwork.hardwareAddress(addresses)
        else { return [] }
        var port = LinkEnd(
            MeshNames.balancerPort, in: .overlay(name), hardwareAddress: HardwareAddress(portTo: addresses[0]))
        port.bridge = MeshNames.bridge
        port.mtu = overlayMTU
        var inner = LinkEnd(MeshNames.balancerOverlay, in: balancer, hardwareAddress: hardware)
        inner.addresses = Set(addresses.filter { families.contains($0.family) }.compactMap(network.prefix(of:)))
        for address in virtual where families.contains(address.family) {
            // The balancer's own packets must not have the address: the balancer of each node has it.
            inner.addresses.insert(
                address.family == .ipv4
                    ? InterfacePrefix(address, length: 32)
                    : InterfacePrefix(address, length: 128, isDeprecated: true))
        }
        inner.mtu = port.mtu
        inner.settings = Sysctl.quietIPv6(inner.id.name, families)
        // Packets leave by the interface on which they came, which is no detour here.
        inner.settings[Sysctl(rawValue: "net/ipv4/conf/\(inner.id.name)/send_redirects")] = "0"
        return [.pair(port, inner, for: balancer, alias: "meshctl: the balancer of the network \(name)")]
    }
}
