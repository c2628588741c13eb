import IPVSKit
import MeshKit

/// An address of this node, for the line that says what to try.
enum NodeAddress {
    /// The first address of one of the families that is of use to others; IPv4 before IPv6.
    static func first(for families: [AddressFamily]) -> IPAddress? {
        NodeAddresses.read().map(\.address)
            .filter { families.contains($0.family) && !$0.isLoopback && !$0.isLinkLocal }
            .min { $0.family < $1.family }
    }
}
