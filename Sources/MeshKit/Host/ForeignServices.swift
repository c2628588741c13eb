import IPVSKit
import RuleKit

/// IPVS services of other programs, such as keepalived. The mesh's own are found by mark.
extension Table {
    /// The services by address that get no new connections any more once a port is published: the kernel looks for a
    /// service by the packet's mark first, and by address and port only if there is none.
    ///
    /// - Parameters:
    ///   - own: the addresses at which the node answers. Packets to others get no mark.
    ///   - families: the families in which the mark has a service.
    func services(
        takenBy listening: PortBinding, at own: Set<IPAddress>, families: Set<AddressFamily>
    ) -> [VirtualService.ID] {
        let taken = entries.keys.filter { id in
            guard case .address(let address, let port, let transport) = id else { return false }
            // A service of port 0 is there for all ports that have none of their own.
            return transport == listening.transport && (port == 0 || listening.ports.contains(port))
                && families.contains(address.family) && Self.isMarked(address)
                && (listening.address.map { $0 == address } ?? own.contains(address))
        }
        return taken.sorted()
    }

    /// Whether our rules mark packets to an address of the node.
    private static func isMarked(_ address: IPAddress) -> Bool {
        !address.isLoopback && !(address.family == .ipv6 && address.isLinkLocal)
    }
}
