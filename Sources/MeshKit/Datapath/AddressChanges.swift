import IPVSKit
import RuleKit

/// The changes that give an end its addresses, in the order that costs the fewest routes. Pure.
///
/// With its last IPv4 address, an interface loses all routes of IPv4, of all tables. So the missing addresses are added
/// before stray ones are removed, unless the kernel does not allow that: an IPv4 address that joins another one in its
/// network is secondary, and ends together with the other one; an IPv6 address is there only once, whatever the length
/// of its prefix.
struct AddressChanges {
    /// The addresses that are added at first.
    let first: Set<InterfacePrefix>
    /// The addresses that are removed then. Secondary addresses come before the primary one.
    let removed: [InterfacePrefix]
    /// The addresses that are added at last.
    let last: Set<InterfacePrefix>
    /// The addresses that the interface has at the moment at which it has the fewest, without their lengths.
    private let lasting: Set<IPAddress>
    /// Whether the interface has lost all of its IPv4 addresses at that moment.
    private let isBareOfIPv4: Bool

    init(from found: ObservedLink, to wanted: Set<InterfacePrefix>) {
        let strays = found.addresses.subtracting(wanted)
        let ending = Set(strays.subtracting(found.secondaryAddresses).map(\.network))
        let lost = found.addresses.intersection(wanted).intersection(found.secondaryAddresses).filter {
            ending.contains($0.network)
        }
        let leaving = strays.union(lost)
        let missing = wanted.subtracting(found.addresses).union(lost)
        last = missing.filter { address in leaving.contains { $0.excludes(address) } }
        first = missing.subtracting(last)
        removed =
            leaving.sorted().filter(found.secondaryAddresses.contains)
            + leaving.sorted().filter { !found.secondaryAddresses.contains($0) }
        lasting = Set(found.addresses.subtracting(leaving).union(first).map(\.address))
        isBareOfIPv4 = leaving.contains { $0.address.family == .ipv4 } && !lasting.contains { $0.family == .ipv4 }
    }

    /// Whether the kernel removes a route in the course of the changes.
    func lose(_ route: Route) -> Bool {
        (isBareOfIPv4 && route.destination.family == .ipv4)
            || removed.contains { $0.address == route.source && !lasting.contains($0.address) }
    }
}

extension InterfacePrefix {
    /// Whether the other address cannot be added, or not to stay, as long as this one is there.
    fileprivate func excludes(_ other: InterfacePrefix) -> Bool {
        address.family == .ipv4 ? network == other.network : address == other.address
    }
}
