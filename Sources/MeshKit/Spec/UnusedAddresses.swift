import IPVSKit
import RuleKit

extension IPPrefix {
    /// Why no packet of a client's can have its source in there; nil where one can.
    var faultForClients: String? {
        if let ipv4 = writtenAsIPv6 { return "is IPv4 written as IPv6, which no packet carries: write it as \(ipv4)" }
        // The node itself is let in anyway; whoever says so may say so.
        if length == (family == .ipv4 ? 32 : 128), address.isLoopback { return nil }
        guard Self.unused.contains(where: { $0.length <= length && $0.contains(address) }) else { return nil }
        return "holds no address that a client can have"
            + (Self.lowest.contains(address) ? "; for IPv4, write the network as 192.168.5.0/24" : "")
    }

    /// The IPv4 network that is meant by one that writes IPv4 addresses as IPv6: mapped (`::ffff:192.168.5.0/120`),
    /// translated (`::ffff:0:192.168.5.0/120`) or compatible (`::192.168.5.0/120`). Nil for any other.
    var writtenAsIPv6: IPPrefix? {
        guard case .ipv6(let number) = address.storage, length >= 96,
            Self.formsOfIPv4.contains(where: { $0.contains(address) })
        else { return nil }
        let ipv4 = IPAddress(ipv4: UInt32(truncatingIfNeeded: number))
        // Of the compatible ones, :: and ::1 and what is near them are no IPv4 addresses.
        guard number >> 32 != 0 || number >> 24 != 0 else { return nil }
        return IPPrefix(ipv4, length: length - 96)
    }

    private static let formsOfIPv4: [IPPrefix] = ["::ffff:0:0/96", "::ffff:0:0:0/96", "::/96"]
    /// The unspecified address, loopback, and the forms of IPv4 addresses.
    private static let lowest: IPPrefix = "::/16"
    /// Where no host has an address: "this network", multicast, reserved and broadcast. Nor is a client served that has a
    /// link-local address of IPv6, since nobody forwards the answer of a task to it.
    private static let unused: [IPPrefix] = [
        "0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", lowest, "fe80::/10", "ff00::/8",
    ]
}

extension IPAddress {
    /// Whether it is of "this network" (0.0.0.0/8), in which no host is.
    var isOfThisNetwork: Bool { IPPrefix("0.0.0.0/8").contains(self) }

    /// Whether it is of the addresses that the way from 127.0.0.1 takes.
    var isOfDetour: Bool {
        IPPrefix(LoopbackDetour.nodeAddress, length: LoopbackDetour.prefixLength).contains(self)
    }

    /// The IPv4 address that one of IPv6 writes: nil where it writes none.
    var writtenAsIPv6: IPAddress? { IPPrefix(self).writtenAsIPv6?.address }
}
