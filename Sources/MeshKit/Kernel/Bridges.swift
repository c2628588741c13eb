package import IPVSKit
import Netlink
import SystemPackage

/// Bridges whose packets the rules see, and whether they turn packets back to the port that those came by, which a task
/// needs that is balanced onto itself.
///
/// By netlink and not from `/sys`, which shows the namespace it was mounted in: another one, under `nsenter`.
package struct Bridges: Sendable {
    private let namespace: NetworkNamespace

    /// - Parameter namespace: whose interfaces.
    package init(in namespace: NetworkNamespace = .current) { self.namespace = namespace }

    /// By bridge the ports of it that lead into a container, and whether each turns packets back.
    ///
    /// - Parameter interfaces: those among which bridges are looked for.
    package func ports(among interfaces: Set<String>) async throws -> [String: [String: Bool]] {
        try await ask("look at the bridges") { socket throws(Errno) in
            var found: [String: [String: Bool]] = [:]
            for name in interfaces {
                guard let bridge = try socket.link(named: name), bridge.kind == "bridge" else { continue }
                let ports = try socket.ports(of: bridge.index).filter(\.leadsIntoContainer)
                found[name] = Dictionary(ports.map { ($0.name, $0.turnsBack) }) { first, _ in first }
            }
            return found
        }
    }

    /// What `ip link set PORT type bridge_slave hairpin on` does, or `off`. A port that has gone needs neither.
    package func setHairpin(_ on: Bool, of port: String) async throws {
        try await ask("make the bridge port \(port) \(on ? "turn packets back" : "turn no packets back")") {
            socket throws(Errno) in
            guard let link = try socket.link(named: port), link.isBridgePort else { return }
            try socket.set(hairpin: on, of: link.index)
        }
    }

    /// Asks on a thread in the namespace.
    private func ask<Value: Sendable>(
        _ operation: String, _ body: @escaping @Sendable (inout RouteSocket) throws(Errno) -> Value
    ) async throws -> Value {
        do {
            return try await DetachedThread.run(in: try namespace.open()) { () throws(BridgeError) in
                var socket: RouteSocket
                do throws(Errno) {
                    socket = try RouteSocket()
                } catch {
                    throw BridgeError(operation: operation, errno: error)
                }
                do throws(Errno) {
                    return try body(&socket)
                } catch {
                    throw BridgeError(operation: operation, errno: error, message: socket.refusal?.message)
                }
            }
        } catch let error as Errno {
            throw BridgeError(operation: operation, errno: error)
        }
    }
}

extension NetworkLink {
    fileprivate var isBridgePort: Bool { masterKind == "bridge" }

    /// One end of a veth pair. Whatever else a bridge joins may have others behind it, as a network card has, who would
    /// get their own broadcasts back.
    fileprivate var leadsIntoContainer: Bool { isBridgePort && kind == "veth" }
}
