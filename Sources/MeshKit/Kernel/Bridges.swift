package import IPVSKit
import Netlink
import SystemPackage

/// Bridges whose packets the rules see, and whether they turn packets back to the port that those came by, which a task
/// needs that is balanced onto itself.
///
/// By netlink and not from `/sys`, which shows the namespace it was mounted in: another one, under `nsenter`.
package struct Bridges: Sendable {
    private let routes: RouteClient

    /// - Parameter namespace: whose interfaces.
    package init(in namespace: NetworkNamespace = .current) throws { routes = RouteClient(in: try namespace.open()) }

    init(_ routes: RouteClient) { self.routes = routes }

    /// By bridge the ports of it that lead into a container, and whether each turns packets back.
    ///
    /// - Parameter interfaces: those among which bridges are looked for.
    package func ports(among interfaces: Set<String>) async throws(BridgeError) -> [String: [String: Bool]] {
        try await asking("look at the bridges") { () throws(NetlinkError) in
            var found: [String: [String: Bool]] = [:]
            for name in interfaces {
                guard let bridge = try await routes.link(named: name), bridge.kind == "bridge" else { continue }
                let ports = try await routes.ports(of: bridge.index).filter(\.leadsIntoContainer)
                found[name] = Dictionary(ports.map { ($0.name, $0.turnsBack) }) { first, _ in first }
            }
            return found
        }
    }

    /// What `ip link set PORT type bridge_slave hairpin on` does, or `off`. A port that has gone needs neither.
    package func setHairpin(_ on: Bool, of port: String) async throws(BridgeError) {
        let operation = "make the bridge port \(port) \(on ? "turn packets back" : "turn no packets back")"
        try await asking(operation) { () throws(NetlinkError) in
            guard let link = try await routes.link(named: port), link.isBridgePort else { return }
            try await routes.set(hairpin: on, of: link.index)
        }
    }

    private func asking<Value>(
        _ operation: String, _ body: () async throws(NetlinkError) -> Value
    ) async throws(BridgeError) -> Value {
        do throws(NetlinkError) {
            return try await body()
        } catch {
            throw BridgeError(operation: operation, errno: error.errno ?? .ioError, message: error.message)
        }
    }
}

extension NetworkLink {
    fileprivate var isBridgePort: Bool { masterKind == "bridge" }

    /// One end of a veth pair. Whatever else a bridge joins may have others behind it, as a network card has, who would
    /// get their own broadcasts back.
    fileprivate var leadsIntoContainer: Bool { isBridgePort && kind == "veth" }
}
