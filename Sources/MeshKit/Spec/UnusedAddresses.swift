import IPVSKit
import RuleKit

extension IPPrefix {
    /// Why no client's packet can have a source address in this network; nil if one can.
    var faultForClients: String? {
        if let ipv4 = writtenAsIPv6 { return "is IPv4 written as IPv6, which no packet carries: write it as \(ipv4)" }
        // The node itself is always let in, so naming its loopback address does no harm.
        if length == (family == .ipv4 ? 32 : 128), address.isLoopback { return nil }
        guard Self.unused.contains(where: { $0.length <= length && $0.contains(address) }) else { return nil }
        return "holds no address that a client can have"
            + (Self.lowest.contains(address) ? "; for IPv4, write the network as 192.168.5.0/24" : "")
    }

    /// The IPv4 network that an IPv6 network with embedded IPv4 addresses stands for: mapped
    /// (`::ffff:192.168.5.0/120`), translated (`::ffff:0:192.168.5.0/120`) or compatible (`::192.168.5.0/120`). Nil for
    /// any other.
    var writtenAsIPv6: IPPrefix? {
        guard case .ipv6(let number) = address.storage, length >= 96,
            Self.formsOfIPv4.contains(where: { $0.contains(address) })
        else { return nil }
        let ipv4 = IPAddress(ipv4: UInt32(truncatingIfNeeded: number))
        // In the compatible form, `::`, `::1` and the addresses near them are no IPv4 addresses.
        guard number >> 32 != 0 || number >> 24 != 0 else { return nil }
        return IPPrefix(ipv4, length: length - 96)
    }

    private static let formsOfIPv4: [IPPrefix] = ["::ffff:0:0/96", "::ffff:0:0:0/96", "::/96"]
    /// The unspecified address, loopback, and the forms of IPv4 addresses.
    private static let lowest: IPPrefix = "::/16"
    /// Networks in which no client has an address: "this network", multicast, reserved and broadcast. A client with an
    /// IPv6 link-local address is not served either, since nobody forwards a task's answer to it.
    private static let unused: [IPPrefix] = [
        "0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", lowest, "fe80::/10", "ff00::/8",
    ]
}

extension IPAddress {
    /// Whether the address is in "this network" (0.0.0.0/8), in which no host is.
    var isOfThisNetwork: Bool { IPPrefix("0.0.0.0/8").contains(self) }

    /// Whether the address is in a network of the detour of 127.0.0.1 and ::1.
    var isOfDetour: Bool { LoopbackDetour.addresses.node.contains { $0.network.contains(self) } }

    /// The IPv4 address that this IPv6 address embeds; nil if it embeds none.
    var writtenAsIPv6: IPAddress? { IPPrefix(self).writtenAsIPv6?.address }
}
