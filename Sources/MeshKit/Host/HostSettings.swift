import IPVSKit
import Netlink
import RuleKit

/// Settings and routes of single interfaces that keep packets from where they should go.
struct HostSettings: Sendable {
    /// The interface that leads to an address; nil where none does or it cannot be told.
    var interface: @Sendable (IPAddress) -> String?
    /// Whether a route or a rule is there to stop what is sent to an address.
    var isRefused: @Sendable (IPAddress) -> Bool
    var setting: @Sendable (Sysctl) -> String?

    /// Those of the namespace of the process.
    static let ofKernel = HostSettings(
        interface: { address in
            guard var socket = try? RouteSocket(), let route = try? socket.route(to: address.bytes), !route.isLocal,
                let index = route.interface
            else { return nil }
            return interfaceName(index)
        },
        isRefused: { address in
            guard var socket = try? RouteSocket() else { return false }
            return (try? socket.isRefused(address.bytes)) == true
        },
        setting: { SysctlFiles().read($0) })

    /// The interface that the default route leads to: that of an address which is in nobody's network.
    func wayOut(_ family: AddressFamily) -> String? { interface(family == .ipv4 ? "192.0.2.1" : "2001:db8::1") }

    /// What keeps packets from a task elsewhere, or its replies from coming through.
    func warnings(for task: IPAddress) -> [String] {
        if isRefused(task) {
            return ["\(task) gets nothing: a route or a rule of this node's forbids it (see `ip route get \(task)`)"]
        }
        // Of IPv6 the kernel asks for all interfaces at once. Switched on for all, it is on for each, so what is off was
        // switched off for this one.
        guard task.family == .ipv4, setting(.ipv4Forwarding) == "1", let interface = interface(task),
            setting(.forwarding(interface)) == "0"
        else { return [] }
        return [
            "replies of \(task) do not come through: \(interface) does not forward (\(Sysctl.forwarding(interface)) is 0)",
            SurveyText.advice("sysctl -w \(Sysctl.forwarding(interface))=1"),
        ]
    }

    /// What keeps clients from an address that a port is published at alone.
    func warnings(at address: IPAddress, on node: NodeFacts) -> [String] {
        guard address.family == .ipv4, !address.isLoopback,
            let own = node.addresses.first(where: { $0.address == address })
        else { return [] }
        // The higher of the two counts; 1 is strict, 2 is loose.
        let values = [Sysctl.reversePathFilter("all"), .reversePathFilter(own.interface)].compactMap(setting)
        guard values.compactMap({ Int($0) }).max() == 1, let way = wayOut(.ipv4), way != own.interface
        else { return [] }
        return [
            "hosts beyond the network of \(own.interface) cannot reach \(address): this node would answer them by \(way), "
                + "and \(Sysctl.reversePathFilter(own.interface)) is 1",
            SurveyText.advice("sysctl -w \(Sysctl.reversePathFilter(own.interface))=2"),
        ]
    }
}

extension Sysctl {
    /// Whether what comes by an interface is forwarded.
    static func forwarding(_ interface: String) -> Self { Self(rawValue: "net/ipv4/conf/\(interface)/forwarding") }
    /// Whether a packet is dropped whose answer would leave by another interface.
    static func reversePathFilter(_ interface: String) -> Self {
        Self(rawValue: "net/ipv4/conf/\(interface)/rp_filter")
    }
}
