import IPVSKit
import RuleKit

/// The addresses of one subnet, of which each is given once.
///
/// The subnet's own address, its first address (the gateway's), and the broadcast address of IPv4 are never given.
struct AddressPool {
    /// The subnet.
    let subnet: IPPrefix
    /// The addresses that were given, and addresses of other subnets, which do no harm.
    private(set) var used: Set<IPAddress>
    /// The addresses that are given only if no other is free.
    private let spared: Set<IPAddress>

    /// A pool of a subnet.
    init(_ subnet: IPPrefix, used: some Sequence<IPAddress>, sparing spared: Set<IPAddress> = []) {
        self.subnet = subnet
        self.used = Set(used)
        self.spared = spared
    }

    /// Gives the lowest address that is free; nil if there is none.
    mutating func take() -> IPAddress? { take(sparing: spared) ?? (spared.isEmpty ? nil : take(sparing: [])) }

    private mutating func take(sparing spared: Set<IPAddress>) -> IPAddress? {
        var candidate = subnet.gateway.successor
        while let address = candidate, subnet.canGive(address) {
            if !spared.contains(address), used.insert(address).inserted { return address }
            candidate = address.successor
        }
        return nil
    }

    /// The number of addresses in use of those that can be given.
    var count: Int { used.count { subnet.canGive($0) } }
}

extension IPPrefix {
    /// The first address behind the network's own, which is the gateway's.
    var gateway: IPAddress { address.successor ?? address }

    /// Whether an address of the subnet may be given to somebody: it is neither the network's own, nor the gateway's,
    /// nor the broadcast address of IPv4.
    func canGive(_ address: IPAddress) -> Bool {
        contains(address) && address > gateway && (family == .ipv6 || address != lastAddress)
    }

    /// Whether the networks have an address in common.
    func meets(_ other: IPPrefix) -> Bool { contains(other.address) || other.contains(address) }

    /// The network of the same length that begins behind this one; nil behind the last one.
    var following: IPPrefix? { lastAddress.successor.map { IPPrefix($0, length: length) } }
}

extension IPAddress {
    /// The next higher address of the family; nil behind the last one.
    var successor: IPAddress? {
        switch storage {
        case .ipv4(let number): number == .max ? nil : IPAddress(ipv4: number + 1)
        case .ipv6(let number): number == .max ? nil : IPAddress(ipv6: number + 1)
        }
    }
}
