import IPVSKit
import Netlink
import RuleKit

/// Settings and routes of single interfaces that keep packets from where they should go.
struct HostSettings: Sendable {
    /// The interface that leads to an address; nil where none does or it cannot be told.
    var interface: @Sendable (IPAddress) -> String?
    /// Whether a route or a rule is there to stop what is sent to an address.
    var isRefused: @Sendable (IPAddress) -> Bool
    /// What becomes of a packet.
    var routing: @Sendable (RoutedPacket) -> Routing
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
        routing: { packet in
            guard var socket = try? RouteSocket() else { return .unknown }
            return (try? socket.routing(of: packet)) ?? .unknown
        },
        setting: { SysctlFiles().read($0) })

    /// The same, each thing asked once: a hundred ports have the same tasks.
    func remembering() -> HostSettings {
        HostSettings(
            interface: Self.remembering(interface), isRefused: Self.remembering(isRefused),
            routing: Self.remembering(routing), setting: Self.remembering(setting))
    }

    private static func remembering<Question: Hashable & Sendable, Answer: Sendable>(
        _ ask: @escaping @Sendable (Question) -> Answer
    ) -> @Sendable (Question) -> Answer {
        let known = Locked<[Question: Answer]>([:])
        return { question in
            if let answer = known.withLock({ $0[question] }) { return answer }
            let answer = ask(question)
            known.withLock { $0[question] = answer }
            return answer
        }
    }

    /// The interface that the default route leads to: that of an address which is in nobody's network.
    func wayOut(_ family: AddressFamily) -> String? { interface(Self.outside(family)) }

    /// An address that is in nobody's network.
    static func outside(_ family: AddressFamily) -> IPAddress { family == .ipv4 ? "192.0.2.1" : "2001:db8::1" }

    /// What keeps packets from being balanced, whatever the port.
    func warnings() -> [String] {
        var warnings: [String] = []
        // 1 stands by for a shortage of memory, 2 is in one, 3 is always so.
        if let value = setting(.dropPacket), value == "2" || value == "3" {
            let rate = setting(.dropRate).map { "one of \($0)" } ?? "some"
            warnings.append("IPVS drops \(rate) new connections: \(Sysctl.dropPacket) is \(value)")
            warnings.append(SurveyText.advice("sysctl -w \(Sysctl.dropPacket)=0"))
        }
        if let value = setting(.dropEntry), value == "2" || value == "3" {
            warnings.append(
                "IPVS forgets some connections that are not established yet, or that have sent little for a minute: "
                    + "\(Sysctl.dropEntry) is \(value)")
            warnings.append(SurveyText.advice("sysctl -w \(Sysctl.dropEntry)=0"))
        }
        if let count = setting(.trackedFlows).flatMap({ Int($0) }),
            let most = setting(.mostTrackedFlows).flatMap({ Int($0) }),
            most > 0, count >= most
        {
            warnings.append(
                "new connections are dropped: conntrack tracks \(count), and \(Sysctl.mostTrackedFlows) is \(most)")
            warnings.append(SurveyText.advice("sysctl -w \(Sysctl.mostTrackedFlows)=\(2 * most)"))
        }
        return warnings
    }

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
    /// Whether IPVS has a reply routed once more, as a packet of this node's own.
    static let rerouting = Self(rawValue: "net/ipv4/vs/snat_reroute")
    /// Whether IPVS drops packets of new connections.
    static let dropPacket = Self(rawValue: "net/ipv4/vs/drop_packet")
    /// Of so many it drops one, where it does so always.
    static let dropRate = Self(rawValue: "net/ipv4/vs/am_droprate")
    /// Whether IPVS forgets connections that hold memory and do little.
    static let dropEntry = Self(rawValue: "net/ipv4/vs/drop_entry")
    /// How many flows conntrack has, and how many it takes at most: 0 for any number.
    static let trackedFlows = Self(rawValue: "net/netfilter/nf_conntrack_count")
    static let mostTrackedFlows = Self(rawValue: "net/netfilter/nf_conntrack_max")
    /// Whether a packet is dropped whose answer would leave by another interface.
    static func reversePathFilter(_ interface: String) -> Self {
        Self(rawValue: "net/ipv4/conf/\(interface)/rp_filter")
    }
}
