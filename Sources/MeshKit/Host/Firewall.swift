package import IPVSKit
package import RuleKit

/// Predicts what rules of other programs do to the mesh's packets.
///
/// Every chain that the kernel calls at a hook is followed, whoever made it: an accept in one chain does not override a
/// drop in another. Properties that are not known of a packet, such as its sender or its interface, are left open.
package struct Firewall: Sendable {
    let rules: HostRules

    package init(_ rules: HostRules) { self.rules = rules }

    /// Whether other hosts can reach a published port. Before IPVS, its packets meet ingress, PREROUTING and INPUT.
    ///
    /// - Parameters:
    ///   - ports: the published ports. The answer is that for the worst of them.
    ///   - translated: the ports after our rules have translated them; nil if they are the same.
    ///   - addresses: the addresses at which the ports are published: all of the node's own, or a single one.
    ///   - allowed: the networks from which clients may connect; empty for everywhere.
    ///   - families: the address families in which the port is balanced.
    ///   - mark: the mark that our rules set.
    /// - Returns: nil if the rules are not known.
    package func answer(
        publishing transport: TransportProtocol, ports: ClosedRange<UInt16>, translated: ClosedRange<UInt16>? = nil,
        at addresses: Set<IPAddress>, allowed: [IPPrefix] = [],
        families: Set<AddressFamily> = Set(AddressFamily.allCases), mark: UInt32? = nil
    ) async -> Answer? {
        let listening = PacketWay.Listening(
            transport: transport, ports: ports, translated: translated ?? ports, addresses: addresses, allowed: allowed,
            mark: mark)
        var parts = families.sorted().flatMap { PacketWay.arriving(listening, $0) }
        let resolved = addresses.filter { $0.family == .ipv4 && !$0.isLoopback }
        if families.contains(.ipv4), !resolved.isEmpty { parts += PacketWay.resolving(own: resolved, others: nil) }
        return await answer(
            parts,
            advice: { site, part in
                FirewallAdvice(rules: rules).opening(
                    site, transport, part.ports ?? ports,
                    to: allowed.filter { $0.family == part.packet.family },
                    areTranslated: part.packet.isDestinationTranslated == true)
            })
    }

    /// Whether packets that IPVS sends reach a task. They pass OUTPUT and POSTROUTING.
    ///
    /// - Parameters:
    ///   - isTranslated: whether our rules have translated the port to which the client connected.
    ///   - showsClient: whether the task is to see the client's address.
    ///   - interface: the name of the interface that leads to the task; nil if it is not known.
    ///   - own: the node's addresses; nil if they are not known.
    package func answer(
        sendingTo task: IPAddress, _ transport: TransportProtocol, ports: ClosedRange<UInt16>,
        isTranslated: Bool = false, showsClient: Bool = false, mark: UInt32? = nil, by interface: String? = nil,
        from own: Set<IPAddress>? = nil
    ) async -> Answer? {
        await answer(
            PacketWay.sent(
                to: task, transport, ports: ports, isTranslated: isTranslated, showsClient: showsClient, mark: mark,
                by: interface.map(Packet.Interface.named) ?? .unknown)
                + (task.family == .ipv4 ? PacketWay.resolving(own: own, others: [task]) : []),
            advice: { site, _ in
                FirewallAdvice(rules: rules).lettingThrough(site, to: task, transport, ports)
            })
    }

    /// Whether the replies of a task pass the node. They meet PREROUTING and FORWARD.
    ///
    /// - Parameters:
    ///   - allowed: the networks from which clients may connect; empty for everywhere.
    ///   - interface: the name of the interface that leads to the task; nil if it is not known.
    ///   - hasClients: whether clients may also be behind that interface.
    ///   - isLetThrough: whether our own chain in FORWARD of iptables accepts the replies.
    package func answer(
        repliesOf task: IPAddress, _ transport: TransportProtocol, port: UInt16, allowed: [IPPrefix] = [],
        by interface: String? = nil, hasClients: Bool = true, isLetThrough: Bool = false
    ) async -> Answer? {
        let way = interface.map(Packet.Interface.named) ?? .unknown
        let clients = interface.flatMap { hasClients ? nil : Packet.Interface.other(than: $0) } ?? .unknown
        let parts = PacketWay.replied(by: task, transport, port: port, allowed: allowed, (way, clients))
        return await answer(isLetThrough ? parts.letThrough : parts) { site, part in
            FirewallAdvice(rules: rules).lettingThrough(site, repliesOf: task, areTracked: part.packet.isTracked)
        }
    }

    /// Whether a client's further packets pass the node to a task, if our rules translate the port. They meet FORWARD.
    ///
    /// - Parameters:
    ///   - allowed: the networks from which clients may connect; empty for everywhere.
    ///   - showsClient: whether the task is to see the client's address.
    ///   - interface: the name of the interface that leads to the task; nil if it is not known.
    ///   - hasClients: whether clients may also be behind that interface.
    ///   - isLetThrough: whether our own chain in FORWARD of iptables accepts the packets.
    func answer(
        continuingTo task: IPAddress, _ transport: TransportProtocol, ports: ClosedRange<UInt16>,
        allowed: [IPPrefix] = [], showsClient: Bool = false, by interface: String? = nil, hasClients: Bool = true,
        isLetThrough: Bool = false
    ) async -> Answer? {
        let way = interface.map(Packet.Interface.named) ?? .unknown
        let clients = interface.flatMap { hasClients ? nil : Packet.Interface.other(than: $0) } ?? .unknown
        let parts = PacketWay.continued(
            to: task, transport, ports: ports, allowed: allowed, showsClient: showsClient, (way, clients))
        return await answer(isLetThrough ? parts.letThrough : parts) { site, _ in
            FirewallAdvice(rules: rules).lettingThrough(site, knownConnectionsTo: task)
        }
    }

    /// Whether replies leave the node after IPVS has translated their source to the node's address.
    package func answer(
        repliesFrom ports: ClosedRange<UInt16>, _ transport: TransportProtocol, translated: ClosedRange<UInt16>,
        at addresses: Set<IPAddress>, allowed: [IPPrefix] = [], families: Set<AddressFamily>
    ) async -> Answer? {
        let listening = PacketWay.Listening(
            transport: transport, ports: ports, translated: translated, addresses: addresses, allowed: allowed)
        return await answer(
            families.sorted().flatMap { PacketWay.returning(listening, $0) },
            advice: { site, _ in
                FirewallAdvice(rules: rules).lettingOut(site)
            })
    }

    /// Whether packets of clients come through to the sandbox, which balances them. They pass PREROUTING, where our rules
    /// make the sandbox their destination, and FORWARD, where our own chain of iptables accepts them.
    func answer(forwardingTo sandbox: PacketWay.Sandbox, _ listening: PacketWay.Listening) async -> Answer? {
        var parts = PacketWay.forwarded(to: sandbox, listening)
        let resolved = listening.addresses.filter { $0.family == .ipv4 && !$0.isLoopback }
        if sandbox.address.family == .ipv4, !resolved.isEmpty {
            parts += PacketWay.resolving(own: resolved, others: nil)
        }
        return await answer(parts.letThrough) { site, part in
            let hasLeft = part.packet.isForNode == false && part.packet.hook != .prerouting
            return hasLeft
                ? FirewallAdvice(rules: rules).lettingThrough(site, by: sandbox.interface)
                : FirewallAdvice(rules: rules).opening(
                    site, listening.transport, listening.ports,
                    to: listening.allowed.filter { $0.family == part.packet.family })
        }
    }

    /// Whether the replies of the sandbox come through to clients. They pass FORWARD, and conntrack puts the published
    /// address in the place of the sandbox's behind that.
    func answer(repliesOf sandbox: PacketWay.Sandbox, _ listening: PacketWay.Listening) async -> Answer? {
        await answer(PacketWay.replied(by: sandbox, listening).letThrough) { site, part in
            part.packet.sources == [sandbox.address...sandbox.address]
                ? FirewallAdvice(rules: rules).lettingThrough(
                    site, repliesOf: sandbox.address, areTracked: part.packet.isTracked)
                : FirewallAdvice(rules: rules).lettingOut(site)
        }
    }

    /// Whether the packets that carry an overlay network leave for another node. They pass OUTPUT and POSTROUTING.
    ///
    /// - Parameter interface: the name of the interface that leads to the other node; nil if it is not known.
    func answer(
        carryingTo peer: IPAddress, from own: IPAddress, port: UInt16, by interface: String? = nil
    ) async -> Answer? {
        let way = interface.map(Packet.Interface.named) ?? .unknown
        return await answer(PacketWay.carried(from: own, to: peer, port: port, by: way)) { site, _ in
            FirewallAdvice(rules: rules).sending(site, .udp, to: port)
        }
    }

    /// Whether connections between two other hosts pass the node, so that it forwards for everybody once it forwards at
    /// all. True if the rules are not known.
    package func forwardsForOthers(_ family: AddressFamily) async -> Bool {
        await answer(PacketWay.passing(family), advice: { _, _ in [] })?.verdict.dropping == nil
    }
}

extension [PacketWay.Part] {
    /// The same way, on which our own chain in FORWARD of iptables accepts the packets.
    fileprivate var letThrough: [PacketWay.Part] {
        map { part in
            var part = part
            part.packet.isLetThrough = part.packet.hook == .forward
            return part
        }
    }
}
