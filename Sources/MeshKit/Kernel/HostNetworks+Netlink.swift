import CNetlink
import IPVSKit
import Netlink
import RuleKit

extension HostNetworks {
    /// The networks of the node's addresses and routes, and its tunnels.
    ///
    /// The interfaces and routes of the mesh itself are left out. So are default routes, which lead to everything, and
    /// the loopback and link-local networks, which nobody is given.
    init(links: [NetworkLink], addresses: [Netlink.InterfaceAddress], routes: [NetworkRoute]) {
        let others = Dictionary(links.filter { !$0.isOfMesh }.map { ($0.index, $0.name) }) { first, _ in first }
        self.init(tunnels: Set(links.lazy.filter { $0.peerNamespace == nil }.compactMap(Tunnel.init)))
        for address in addresses {
            guard let interface = others[address.interface] else { continue }
            add(address.address, length: address.prefixLength, of: interface)
        }
        for route in routes where route.origin != LivePlace.origin && route.type == UInt8(RTN_UNICAST) {
            // A route by several interfaces names none of them.
            guard let interface = route.interface.map({ others[$0] }) ?? "?" else { continue }
            add(route.destination, length: route.prefixLength, of: interface)
        }
    }

    /// Adds the tunnels of the node that are in another namespace, as Docker moves those of a Swarm, and the networks
    /// there. If the namespace has no tunnel of the node, its networks are not the node's either.
    ///
    /// - Parameters:
    ///   - number: the node's number in the namespace. The interfaces that were made in the node have it.
    ///   - namespace: what the namespace is called in words.
    mutating func add(
        tunnels links: [NetworkLink], with addresses: [Netlink.InterfaceAddress], madeIn number: Int32,
        namespace: String
    ) {
        let found = links.filter { $0.peerNamespace == number }.compactMap(Tunnel.init)
        guard number >= 0, !found.isEmpty else { return }
        tunnels.formUnion(found)
        for address in addresses {
            guard let link = links.first(where: { $0.index == address.interface }), !link.isOfMesh else { continue }
            add(address.address, length: address.prefixLength, of: "\(link.name) in \(namespace)")
        }
    }

    /// Tunnels that are to carry everything often divide the default route into two or four.
    private static let shortestPrefix = 4

    private mutating func add(_ bytes: [UInt8], length: Int, of interface: String) {
        guard let address = IPAddress(bytes: bytes), length >= Self.shortestPrefix, !address.isLoopback,
            !address.isLinkLocal, !address.isMulticast
        else { return }
        let prefix = IPPrefix(address, length: length)
        if prefixes[prefix] == nil { prefixes[prefix] = interface }
    }
}

extension NetworkLink {
    /// Whether the mesh made the interface.
    var isOfMesh: Bool {
        group == LivePlace.group || alias?.hasPrefix(ObservedLink.aliasPrefix) == true
    }
}

extension HostNetworks.Tunnel {
    /// Nil if the interface is no VXLAN interface, or one of the mesh.
    fileprivate init?(_ link: NetworkLink) {
        guard let settings = link.vxlan, !link.isOfMesh else { return nil }
        self.init(settings.identifier, port: settings.port)
    }
}
