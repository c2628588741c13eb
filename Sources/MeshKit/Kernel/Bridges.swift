package import IPVSKit
import Netlink

/// The bridges of a namespace, and hairpin mode of their ports: whether a bridge sends a packet back through the port
/// on which it arrived. A task that is balanced to itself needs this.
///
/// The bridges are read by netlink and not from `/sys`, because `/sys` shows the namespace in which it was mounted.
/// Under `nsenter`, that is another namespace.
package struct Bridges: Sendable {
    private let routes: RouteClient

    /// - Parameter namespace: the namespace of the interfaces.
    package init(in namespace: NetworkNamespace = .current) throws { routes = RouteClient(in: try namespace.open()) }

    init(_ routes: RouteClient) { self.routes = routes }

    /// For each bridge, its ports that lead into containers, and whether each port is in hairpin mode.
    ///
    /// - Parameter interfaces: the names of the interfaces among which bridges are looked for.
    package func ports(among interfaces: Set<String>) async throws(PlaceError) -> [String: [String: Bool]] {
        try await routes.asking("look at the bridges") { () throws(NetlinkError) in
            var found: [String: [String: Bool]] = [:]
            for name in interfaces {
                guard let bridge = try await routes.link(named: name), bridge.kind == "bridge" else { continue }
                let ports = try await routes.ports(of: bridge.index).filter(\.leadsIntoContainer)
                found[name] = Dictionary(ports.map { ($0.name, $0.turnsBack) }) { first, _ in first }
            }
            return found
        }
    }

    /// Does the same as `ip link set PORT type bridge_slave hairpin on`, or `off`. A port that no longer exists needs
    /// neither.
    package func setHairpin(_ on: Bool, of port: String) async throws(PlaceError) {
        let operation = "make the bridge port \(port) \(on ? "turn packets back" : "turn no packets back")"
        try await routes.asking(operation) { () throws(NetlinkError) in
            guard let link = try await routes.link(named: port), link.isBridgePort else { return }
            try await routes.set(hairpin: on, of: link.index)
        }
    }
}

extension NetworkLink {
    fileprivate var isBridgePort: Bool { masterKind == "bridge" }

    /// Whether the port is one end of a veth pair. Behind any other port, such as a network card, there may be several
    /// hosts, which would get their own broadcasts back.
    fileprivate var leadsIntoContainer: Bool { isBridgePort && kind == "veth" }
}
