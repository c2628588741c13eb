import IPVSKit
import Netlink
import RuleKit
import SystemPackage

/// The networks that the node of the process reaches by a route.
enum RoutedNetworks {
    /// For each address the network of the route to it; none where that is the default route, or there is none.
    static func read(of addresses: Set<IPAddress>) async throws -> [IPAddress: RoutedNetwork] {
        guard !addresses.isEmpty else { return [:] }
        return try await DetachedThread.run { () throws(RouteError) in
            do throws(Errno) {
                var socket = try RouteSocket()
                var found: [IPAddress: RoutedNetwork] = [:]
                for address in addresses {
                    guard let route = try socket.route(to: address.bytes), route.prefixLength > 0, !route.isLocal,
                        let interface = route.interface.flatMap(interfaceName)
                    else { continue }
                    found[address] = RoutedNetwork(
                        prefix: IPPrefix(address, length: route.prefixLength), interface: interface)
                }
                return found
            } catch {
                throw RouteError(errno: error)
            }
        }
    }
}

/// Why the node's routes could not be looked at.
struct RouteError: Error, Hashable, CustomStringConvertible {
    /// What the kernel answered.
    var errno: Errno

    var description: String { "cannot look up the routes to the tasks: \(errno)" }
}
