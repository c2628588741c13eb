import IPVSKit
import Netlink
import RuleKit
import SystemPackage

extension LivePlace {
    /// The network of the route to each address. Addresses that are reached by the default route, or by none, are left
    /// out.
    func routedNetworks(of addresses: Set<IPAddress>) async throws -> [IPAddress: RoutedNetwork] {
        try await asking("look up the routes to the tasks") { () throws(NetlinkError) in
            var found: [IPAddress: RoutedNetwork] = [:]
            for address in addresses {
                guard let route = try await routes.route(to: address.bytes), route.prefixLength > 0, !route.isLocal,
                    let interface = route.interface.flatMap(interfaceName)
                else { continue }
                found[address] = RoutedNetwork(
                    prefix: IPPrefix(address, length: route.prefixLength), interface: interface)
            }
            return found
        }
    }
}
