import IPVSKit
import MeshKit

/// An address of this node for the line `try: curl …`.
enum NodeAddress {
    /// All addresses of this node.
    static func all() throws -> Set<IPAddress> { Set(try NodeAddresses.read().map(\.address)) }

    /// The first address of these families that other hosts can reach: neither loopback nor link-local. IPv4 comes first.
    static func first(for families: [AddressFamily]) throws -> IPAddress? {
        try NodeAddresses.read().map(\.address)
            .filter { families.contains($0.family) && !$0.isLoopback && !$0.isLinkLocal }
            .min { $0.family < $1.family }
    }
}
