package import IPVSKit
import IPVSKitTesting
import MeshKit
import RuleKit

/// Follows a packet through what the fake kernel holds, as a kernel would: through rules, IPVS and links, by their
/// contents alone. It shares no code with what puts them there.
package struct PacketModel {
    /// Where a new connection may end up.
    package struct Arrival: Hashable, Sendable, CustomStringConvertible {
        package var task: IPAddress
        package var port: UInt16
        /// Whether the task sees an address of the node instead of the client's.
        package var isMasqueraded: Bool

        package init(_ task: IPAddress, _ port: UInt16, isMasqueraded: Bool) {
            self.task = task
            self.port = port
            self.isMasqueraded = isMasqueraded
        }

        package var description: String { "\(task):\(port)\(isMasqueraded ? " masqueraded" : "")" }
    }

    private let namespaces: [String: FakeNamespace]
    /// The IPVS tables, read before.
    private let tables: [String: Table]

    package init(_ kernel: FakeKernel) async throws {
        namespaces = kernel.withState(\.namespaces)
        tables = ["node": try await namespaces["node"]!.ipvs.client.table()]
    }

    /// Where a client elsewhere may get to: the tasks that a port of this node's leads to.
    package func arrivals(
        at port: UInt16, _ transport: TransportProtocol, of address: IPAddress, from client: IPAddress
    ) -> Set<Arrival> {
        guard let node = namespaces["node"], let content = node.activeRules else { return [] }
        let elements = Elements(content.elements)
        guard let mark = elements.mark(of: port, transport, at: address),
            elements.lets(client, in: mark, port, transport)
        else { return [] }
        let forwarding: Sysctl = address.family == .ipv4 ? .ipv4Forwarding : .ipv6Forwarding
        guard node.sysctls[forwarding] == "1", node.sysctls[.ipvsConntrack] == "1",
            let service = tables["node"]?.entries[.firewallMark(mark, address.family)]
        else { return [] }
        let translated = elements.target(of: port, mark, transport, address.family) ?? port
        return Set(
            service.destinations.values.filter { $0.weight > 0 }.map { destination in
                let isPersistent = service.service.persistence != nil
                let port = destination.id.port == 0 || isPersistent ? translated : destination.id.port
                return Arrival(
                    destination.id.address, port,
                    isMasqueraded: elements.masquerades(mark, destination.id.address))
            })
    }

    /// Where a program of the node's own gets to by 127.0.0.1 or ::1.
    package func arrivalsFromLoopback(
        at port: UInt16, _ transport: TransportProtocol, _ family: AddressFamily
    ) -> Set<Arrival> {
        let loopback: IPAddress = family == .ipv4 ? "127.0.0.1" : "::1"
        guard let node = namespaces["node"], let content = node.activeRules,
            case .balancer(let detour?, _, _, _) = content.role,
            Elements(content.elements).mark(of: port, transport, at: loopback) != nil,
            let out = node.interfaces[detour.interface], out.isUp, !out.addresses.isEmpty,
            let end = detour.addresses.first(where: { $0.family == family }),
            family == .ipv4
                ? node.sysctls[Sysctl(rawValue: "net/ipv4/conf/\(detour.interface)/route_localnet")] == "1"
                : out.routes.contains(Route(to: IPPrefix("::1"), table: .local)),
            let peer = out.peer, let helper = namespaces[peer.namespace], let far = helper.interfaces[peer.name],
            far.isUp, far.addresses.contains(where: { $0.address == end }),
            helper.sysctls[family == .ipv4 ? .ipv4Forwarding : .ipv6Forwarding] == "1",
            case .turnaround(let ends) = helper.activeRules?.role,
            let back = ends.first(where: { $0.family == family }),
            out.addresses.contains(where: { $0.address == back })
        else { return [] }
        // It comes back as a client's at the node's end.
        return arrivals(at: port, transport, of: back, from: end)
    }
}

extension FakeNamespace {
    /// The rules that are in force: those whose parts are all there.
    fileprivate var activeRules: FakeRuleContent? {
        rules.values.first { content in
            content.role.map { role in
                content.parts.isSuperset(of: ["table"])
                    || content.parts.isSuperset(of: FakeRules.parts(of: role, by: .iptables))
            } ?? false
        }
    }
}

/// What the sets of either tool hold, by what they mean.
private struct Elements {
    let all: Set<SetElement>

    init(_ elements: Set<SetElement>) { all = elements }

    func mark(of port: UInt16, _ transport: TransportProtocol, at address: IPAddress) -> FirewallMark? {
        // One address is more special than all of them.
        for wantsAddress in [true, false] {
            let found = all.first { element in
                guard case .mark = element.value, element.ports?.contains(port) == true else { return false }
                guard element.transport.map({ $0 == transport }) ?? Self.isSet(element.set, of: transport) else {
                    return false
                }
                return wantsAddress ? element.address == address : element.address == nil
            }
            if case .mark(let mark) = found?.value { return mark }
        }
        return nil
    }

    /// `ranges_tcp`, `mesh-mark-tcp`: sets of one protocol.
    private static func isSet(_ name: String, of transport: TransportProtocol) -> Bool {
        name.hasSuffix("_\(transport)") || name.hasSuffix("-\(transport)") || name.hasSuffix("-\(transport)4")
            || name.hasSuffix("-\(transport)6")
    }

    func lets(_ client: IPAddress, in mark: FirewallMark, _ port: UInt16, _ transport: TransportProtocol) -> Bool {
        let restricted = all.contains { element in
            element.set == "restricted" && element.mark == mark
                || element.set.hasPrefix("mesh-only") && element.ports?.contains(port) == true
                    && (element.transport.map { $0 == transport } ?? Self.isSet(element.set, of: transport))
        }
        guard restricted else { return true }
        return all.contains { element in
            guard element.prefix?.contains(client) == true else { return false }
            return element.set.hasPrefix("allowed") && element.mark == mark
                || element.set.hasPrefix("mesh-allow") && element.ports?.contains(port) == true
                    && (element.transport.map { $0 == transport } ?? true)
        }
    }

    /// What the port is translated to before IPVS sees it; nil where it stays.
    func target(
        of port: UInt16, _ mark: FirewallMark, _ transport: TransportProtocol, _ family: AddressFamily
    ) -> UInt16? {
        let digit = family == .ipv4 ? "4" : "6"
        let found = all.first { element in
            guard ["targets" + digit, "mesh-target" + digit].contains(element.set), element.mark == mark,
                element.ports?.contains(port) == true
            else { return false }
            return element.transport.map { $0 == transport } ?? true
        }
        guard let found, case .port(let first) = found.value else { return nil }
        return first + (port - found.ports!.lowerBound)
    }

    func masquerades(_ mark: FirewallMark, _ task: IPAddress) -> Bool {
        all.contains {
            ($0.set.hasPrefix("masquerade") || $0.set.hasPrefix("mesh-snat")) && $0.mark == mark && $0.address == task
        }
    }
}
