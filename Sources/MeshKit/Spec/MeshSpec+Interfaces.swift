import IPVSKit
import RuleKit

/// What tells the interfaces on a network apart besides their addresses: their hardware addresses and the names of
/// their ports are derived from the last four bytes of the first address of each. Below a prefix of 96 bits, different
/// IPv6 addresses can have the same ones.
extension MeshSpec {
    /// An address of an interface on a network that ends as a given address does, if interfaces of that subnet are told
    /// apart by that; nil if there is none.
    func lookalike(of address: IPAddress, in subnet: IPPrefix, of name: String) -> IPAddress? {
        guard isDecisive(subnet, of: name) else { return nil }
        return leadingAddresses(on: name).filter { $0 != address && $0.endsLike(address) }.min()
    }

    /// The addresses of a subnet that must not be given, since they would end as those of interfaces do: of all
    /// addresses with such an end, the ones that are given first.
    func lookalikes(in subnet: IPPrefix, of name: String) -> [IPAddress] {
        guard isDecisive(subnet, of: name) else { return [] }
        return leadingAddresses(on: name).compactMap { address in
            guard let network = subnet.address.ipv6, let number = address.ipv6 else { return nil }
            return IPAddress(ipv6: network | number & 0xFFFF_FFFF)
        }
    }

    /// Whether the interfaces on a network have their first addresses in the subnet, and these may end alike.
    private func isDecisive(_ subnet: IPPrefix, of name: String) -> Bool {
        subnet.family == .ipv6 && subnet.length < 96 && networks[name]?.subnets.first == subnet
    }

    /// The first addresses of all interfaces on a network: of the bridge, of balancers, and of tasks, those that have
    /// left included.
    private func leadingAddresses(on name: String) -> [IPAddress] {
        guard let network = networks[name] else { return [] }
        let tasks = leaving + services.values.flatMap(\.tasks)
        var addresses = Array(network.gateways.prefix(1))
        addresses += network.balancers.values.compactMap(\.first)
        addresses += tasks.compactMap { $0.attachment?.addresses[name]?.first }
        return addresses
    }
}

extension IPAddress {
    /// Whether the last four bytes are those of another address.
    func endsLike(_ other: IPAddress) -> Bool { bytes.suffix(4) == other.bytes.suffix(4) }
}
