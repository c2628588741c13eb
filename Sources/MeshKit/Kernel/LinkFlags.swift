package import IPVSKit
import Netlink
import SystemPackage

/// Bridges, and whether they are promiscuous, which a task needs that is balanced onto itself: where iptables sees
/// bridged packets, a bridge that is not promiscuous never sends one out by the port by which it came.
///
/// By netlink and not from `/sys`, which shows the namespace it was mounted in: another one, under `nsenter`.
package struct LinkFlags: Sendable {
    private let namespace: NetworkNamespace

    /// - Parameter namespace: whose interfaces.
    package init(in namespace: NetworkNamespace = .current) { self.namespace = namespace }

    /// An interface, as far as it matters here.
    package struct State: Hashable, Sendable {
        package var isBridge: Bool
        package var isPromiscuous: Bool

        package init(isBridge: Bool, isPromiscuous: Bool) {
            self.isBridge = isBridge
            self.isPromiscuous = isPromiscuous
        }
    }

    /// Nil where there is no such interface.
    package func state(of interface: String) async throws -> State? {
        try await ask("look at the interface \(interface)") { socket throws(Errno) in
            try socket.link(named: interface).map {
                State(isBridge: $0.kind == "bridge", isPromiscuous: $0.flags.contains(.promiscuous))
            }
        }
    }

    /// Sets or clears the flag that `ip link set promisc` does, and leaves the others as they are.
    package func setPromiscuous(_ on: Bool, of interface: String) async throws {
        try await ask("make the interface \(interface) \(on ? "promiscuous" : "promiscuous no longer")") {
            socket throws(Errno) in
            guard let link = try socket.link(named: interface) else { throw Errno(rawValue: 19) }  // ENODEV
            try socket.set(.promiscuous, on, of: link.index)
        }
    }

    /// By which interface packets to an address leave; nil where there is none, or several.
    package func interface(towards address: IPAddress) async throws -> String? {
        try await ask("look up the route to \(address)") { socket throws(Errno) in
            try socket.route(to: address.bytes)?.interface.flatMap(interfaceName)
        }
    }

    /// Whether iptables sees what bridges pass on: br_netfilter is there, and on for IPv4.
    package func iptablesSeesBridges() async throws -> Bool {
        try await ask("look at br_netfilter") { _ throws(Errno) in
            SysctlFiles().read(Sysctl(rawValue: "net/bridge/bridge-nf-call-iptables")) == "1"
        }
    }

    /// Asks on a thread in the namespace.
    private func ask<Value: Sendable>(
        _ operation: String, _ body: @escaping @Sendable (inout RouteSocket) throws(Errno) -> Value
    ) async throws -> Value {
        let namespace = try namespace.open()
        return try await DetachedThread.run(in: namespace) { () throws(DetourError) in
            try DetourError.attempt(operation) { () throws(Errno) in
                var socket = try RouteSocket()
                return try body(&socket)
            }
        }
    }
}
