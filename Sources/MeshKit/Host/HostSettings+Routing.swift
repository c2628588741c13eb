import IPVSKit
import Netlink
import RuleKit

/// Warnings about routing rules (`ip rule`) and routes that depend on a source, a mark or an interface.
extension HostSettings {
    /// Warnings about everything that keeps packets with the mark of a published port from a task on another host.
    func warnings(sending mark: UInt32, to task: IPAddress) async -> [String] {
        let packet = RoutedPacket(destination: task, mark: mark)
        guard let interface = await interface(task) else { return [] }
        switch await routing(packet) {
        case .refused:
            return ["\(task) gets nothing: a rule of this node's forbids what is marked so (see `\(packet.question)`)"]
        case .leaves(let other) where other != interface:
            return [
                "packets for \(task) leave by \(other), and not by \(interface), which leads there, since they are marked "
                    + "(see `\(packet.question)`)"
            ]
        case .noRoute:
            return ["\(task) gets nothing: this node has no route for what is marked so (see `\(packet.question)`)"]
        case .leaves, .unknown: return []
        }
    }

    /// Warnings about everything that keeps the replies of a task on another host from being forwarded to clients, or
    /// from leaving with the published address: after IPVS has translated a reply, it has the reply routed once more.
    ///
    /// - Parameters:
    ///   - addresses: the addresses to which clients connect; none if conntrack alone translates the replies, which are
    ///     not routed once more then.
    ///   - ports: the ports of a reply as it comes from the task.
    ///   - allowed: the networks from which clients may connect; empty for everywhere.
    func warnings(
        forRepliesOf task: IPAddress, from addresses: Set<IPAddress>, ports: RouteQuestion.Ports? = nil,
        to allowed: [IPPrefix], on node: NodeFacts
    ) async -> [String] {
        // While the node or the interface forwards nothing, the kernel does not answer the other questions.
        guard setting(.forwardingOfAll(task.family)) == "1", let interface = await interface(task),
            forwards(interface, task.family)
        else { return [] }
        let clients = await clients(task.family, allowed, besides: interface, on: node)
        var packets = clients.map { RoutedPacket(source: task, destination: $0, input: interface, ports: ports) }
        if let warning = await refusal("replies of \(task)", packets) { return [warning] }
        for packet in packets {
            guard let right = near(packet.destination, node), await routing(packet) == .noRoute else { continue }
            return [await missing(packet, to: right)]
        }
        // If replies are not routed once more, the first routing decision counts.
        if setting(.rerouting) != "0", !addresses.isEmpty {
            packets = addresses.filter { $0.family == task.family && Self.isReached($0) }.sorted().flatMap { own in
                clients.map { RoutedPacket(source: own, destination: $0) }
            }
            if let warning = await refusal("replies to clients", packets) { return [warning] }
        }
        // Clients in a network of the node are reached only through that network's interface.
        for packet in packets {
            guard let right = near(packet.destination, node),
                packet.source == task || isOn(right, packet.source, node)
            else { continue }
            switch await routing(packet) {
            case .noRoute: return [await missing(packet, to: right)]
            case .leaves(let other) where other != right:
                let reason = await vrf(of: right).map { "\(right) belongs to the VRF \($0)" }
                return [
                    "replies to clients in the network of \(right) leave by \(other): "
                        + "\(reason ?? "a rule of this node's has it so") (see `\(packet.question)`)"
                ]
            case .leaves, .refused, .unknown: continue
            }
        }
        return []
    }

    /// The interface whose network contains an address; nil if the node is in no such network.
    func near(_ address: IPAddress, _ node: NodeFacts) -> String? {
        node.networks(of: address).first { $0.prefix.length != 0 }?.interface
    }

    private func missing(_ packet: RoutedPacket, to interface: String) async -> String {
        let clause = await vrf(of: interface).map { ", which belongs to the VRF \($0)" } ?? ""
        return "replies have no route to clients in the network of \(interface)\(clause) (see `\(packet.question)`)"
    }

    /// The VRF that an interface belongs to; nil for most.
    func vrf(of interface: String) async -> String? { await links([interface]).first?.vrf }

    /// Whether packets that arrive on an interface are forwarded, if the node forwards any. For IPv6 the kernel asks
    /// the switch for all interfaces only. For IPv4, that switch also switches on each interface, so an interface that is
    /// off was switched off by itself.
    func forwards(_ interface: String, _ family: AddressFamily) -> Bool {
        family == .ipv6 || setting(.forwarding(interface)) != "0"
    }

    private func isOn(_ interface: String, _ address: IPAddress?, _ node: NodeFacts) -> Bool {
        node.addresses.contains { $0.address == address && $0.interface == interface }
    }

    func refusal(_ replies: String, _ packets: [RoutedPacket]) async -> String? {
        let refused = zip(packets, await routings(packets)).filter { $1 == .refused }.map(\.0)
        guard let first = refused.first else { return nil }
        let extent = refused.count == packets.count ? "" : "some "
        return "\(extent)\(replies) do not come through: a route or a rule of this node's forbids it "
            + "(see `\(first.question)`)"
    }

    /// Sample addresses of clients: one in each allowed network; or one in each network of this node, and one beyond.
    func clients(
        _ family: AddressFamily, _ allowed: [IPPrefix], besides interface: String, on node: NodeFacts
    ) async -> [IPAddress] {
        let mostAsked = 8
        var networks = allowed.filter { $0.family == family }
        if allowed.isEmpty {
            let addresses = node.addresses.filter {
                $0.address.family == family && Self.isReached($0.address) && $0.interface != interface
                    && $0.interface != LoopbackDetour.interface && node.bridgePorts.value?[$0.interface] == nil
            }
            networks = zip(addresses, await links(addresses.map(\.interface))).filter(\.1.hasHosts).map {
                IPPrefix($0.0.address, length: $0.0.prefixLength)
            }
        }
        var clients = networks.compactMap { Self.client(in: $0, on: node) }
        if allowed.isEmpty, let way = await wayOut(family), way != interface { clients.append(Self.outside(family)) }
        return Array(clients.prefix(mostAsked))
    }

    /// The address of a client in a network; nil if none can be given.
    static func client(in network: IPPrefix, on node: NodeFacts) -> IPAddress? {
        let outside = outside(network.family)
        if network.contains(outside), !node.isOwn(outside) { return outside }
        return [network.address.next, network.address.next.next, network.address].first {
            // No host has an address of 0.0.0.0/8.
            network.contains($0) && !node.isOwn($0) && !IPPrefix("0.0.0.0", length: 8).contains($0)
        }
    }

    /// Whether hosts beyond the direct neighbours can use an address.
    static func isReached(_ address: IPAddress) -> Bool { !address.isLoopback && !address.isLinkLocal }
}

extension IPAddress {
    /// The next address; after the last address, the first.
    fileprivate var next: IPAddress {
        switch storage {
        case .ipv4(let number): IPAddress(ipv4: number &+ 1)
        case .ipv6(let number): IPAddress(ipv6: number &+ 1)
        }
    }
}
