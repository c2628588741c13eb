import IPVSKit
import RuleKit

/// The ways that packets of a published port take through the hooks of a node, divided into parts.
///
///     client -> ingress, prerouting, input, IPVS, output, postrouting, egress -> task
///     task   -> ingress, prerouting, forward, postrouting, egress             -> client
///
/// If our rules translate the port, conntrack has the task as the destination of the connection from the first packet on,
/// and the client's further packets take another way:
///
///     client -> ingress, prerouting, forward, postrouting, egress             -> task
enum PacketWay {
    /// The priorities at which the kernel and our rules act within a hook.
    enum Place {
        static let conntrack = -200
        static let mark = -150
        static let translation = -100
        static let ipvs = 98
        static let sourceTranslation = 100
    }

    /// A part of a way, on which a packet looks the same to every chain.
    struct Part: Sendable {
        var packet: Packet
        var layer = RuleTable.Layer.network
        /// The priorities of the chains on this part.
        var priorities = Int.min...Int.max
        /// The possible destination ports, if there are several. Each group of ports that the rules distinguish is
        /// examined.
        var ports: ClosedRange<UInt16>?

        /// Whether a packet meets a chain on this part.
        func meets(_ base: RuleTable.BaseChain, of table: RuleTable) -> Bool {
            let isHere =
                table.layer == layer
                || layer == .device && table.layer == .network && !packet.isARP
                    && (base.hook == "ingress" || base.hook == "egress")
            let isOnDevice = packet.device.map { base.devices.isEmpty || base.devices.contains($0) } ?? true
            return isHere && isOnDevice && base.hook == packet.hook.rawValue && priorities.contains(base.priority)
                // Only the first packet of a connection meets nat chains, and packets that IPVS sends have met theirs
                // already.
                && !(base.isNAT && (packet.state != .new || packet.hook == .output))
        }
    }

    /// A published port, as clients' packets show it.
    struct Listening {
        var transport: TransportProtocol
        /// The ports to which clients connect.
        var ports: ClosedRange<UInt16>
        /// The ports after our rules have translated them.
        var translated: ClosedRange<UInt16>
        var addresses: Set<IPAddress>
        /// The networks from which clients may connect; empty for everywhere.
        var allowed: [IPPrefix] = []
        /// The mark that the packets have behind our rules; nil if it is not known.
        var mark: UInt32?
        /// Whether the packets are found by the mark from there on.
        var isFoundByMark = true
        /// Whether tasks are to see the client's address.
        var showsClient = false

        /// Whether our rules translate the ports.
        var isTranslated: Bool { ports != translated }

        /// Our own chains of iptables that packets from clients have to meet in PREROUTING.
        ///
        /// - Parameter isElsewhere: whether the packets go on to the sandbox.
        func ownChains(isElsewhere: Bool) -> Set<String> {
            guard mark != nil else { return [] }
            var chains: Set<String> = []
            if isFoundByMark || !allowed.isEmpty { chains.insert(OwnRules.entryChain) }
            if isTranslated { chains.insert(OwnRules.targetChain) }
            if isElsewhere { chains.insert(OwnRules.ingressChain) }
            return chains
        }
    }

    /// The networks of one family from which clients connect; nil for everywhere.
    static func clients(of allowed: [IPPrefix], _ family: AddressFamily) -> Set<ClosedRange<IPAddress>>? {
        allowed.isEmpty ? nil : Set(allowed.filter { $0.family == family }.map(\.range))
    }

    /// The way from another host to IPVS.
    ///
    /// - Parameters:
    ///   - withLoopback: whether packets to loopback addresses, which come from this host, are included.
    ///   - isElsewhere: whether the way only goes as far as where our rules translate the destination, so that the
    ///     packets leave the node again.
    static func arriving(
        _ listening: Listening, _ family: AddressFamily, withLoopback: Bool = false, isElsewhere: Bool = false
    ) -> [Part] {
        // Packets of other hosts never arrive at loopback addresses.
        let addresses = listening.addresses.filter { $0.family == family && (withLoopback || !$0.isLoopback) }
        let clients = clients(of: listening.allowed, family)
        guard !addresses.isEmpty, clients?.isEmpty != true else { return [] }
        func part(
            _ hook: Packet.Hook, _ priorities: ClosedRange<Int> = everywhere, layer: RuleTable.Layer = .network,
            isTracked: Bool = true, isMarked: Bool = true, isTranslated: Bool = false, ownChains: Set<String> = []
        ) -> Part {
            Part(
                packet: Packet(
                    hook: hook, family: family, transport: listening.transport, sources: clients,
                    destinations: addresses.ranges, isForNode: true, state: .new, isTracked: isTracked,
                    isDestinationTranslated: isTranslated && listening.isTranslated,
                    mark: isMarked ? listening.mark : nil,
                    isFoundByMark: isMarked && listening.isFoundByMark, ownChains: ownChains),
                layer: layer, priorities: priorities,
                ports: isTranslated ? listening.translated : listening.ports)
        }
        let parts = [
            part(.ingress, layer: .device, isTracked: false, isMarked: false),
            part(.prerouting, layer: .bridge, isTracked: false, isMarked: false),
            part(.input, layer: .bridge, isTracked: false, isMarked: false),
            part(.prerouting, Int.min...(Place.conntrack - 1), isTracked: false, isMarked: false),
            part(.prerouting, Place.conntrack...(Place.mark - 1), isMarked: false),
            part(
                .prerouting, Place.mark...Place.translation,
                ownChains: listening.ownChains(isElsewhere: isElsewhere)),
        ]
        if isElsewhere { return parts }
        return parts + [
            part(.prerouting, (Place.translation + 1)...Int.max, isTranslated: true),
            part(.input, Int.min...(Place.ipvs - 1), isTranslated: true),
        ]
    }

    /// The ways of ARP: requests and replies of other hosts come in, and those of the node go out.
    ///
    /// - Parameters:
    ///   - own: the addresses of the node; nil for any.
    ///   - others: the addresses of the hosts that ask or are asked for; nil for any.
    static func resolving(own: Set<IPAddress>?, others: Set<IPAddress>?) -> [Part] {
        let own = own?.filter { $0.family == .ipv4 }
        func part(_ hook: Packet.Hook, _ layer: RuleTable.Layer) -> Part {
            let comes = hook != .output && hook != .postrouting && hook != .egress
            return Part(
                packet: Packet(
                    hook: hook, family: .ipv4, transport: .tcp, sources: (comes ? others : own)?.ranges,
                    destinations: (comes ? own : others)?.ranges, state: .new, isTracked: false, startsHere: !comes,
                    isARP: true),
                layer: layer)
        }
        return [
            part(.ingress, .device), part(.prerouting, .bridge), part(.input, .bridge), part(.input, .arp),
            part(.output, .arp), part(.output, .bridge), part(.postrouting, .bridge), part(.egress, .device),
        ]
    }

    /// The way from IPVS to a task on another host. It begins where the node's own packets leave.
    ///
    /// - Parameters:
    ///   - isTranslated: whether our rules have translated the port to which the client connected.
    ///   - showsClient: whether the task is to see the client's address.
    ///   - interface: the interface that leads to the task.
    static func sent(
        to task: IPAddress, _ transport: TransportProtocol, ports: ClosedRange<UInt16>, isTranslated: Bool,
        showsClient: Bool, mark: UInt32?, by interface: Packet.Interface = .unknown
    ) -> [Part] {
        func part(_ hook: Packet.Hook, _ layer: RuleTable.Layer = .network) -> Part {
            let isMasqueraded = hook == .postrouting && !showsClient
            return Part(
                packet: Packet(
                    hook: hook, family: task.family, transport: transport, destinations: [task...task],
                    isForNode: false, state: .new, isDestinationTranslated: isTranslated, mark: mark,
                    startsHere: true, ownChains: isMasqueraded ? [OwnRules.sourceChain] : [],
                    showsClient: showsClient, output: layer == .bridge ? .unknown : interface),
                layer: layer, ports: ports)
        }
        return [
            part(.output), part(.postrouting), part(.output, .bridge), part(.postrouting, .bridge),
            part(.egress, .device),
        ]
    }

    /// The way of the packets that carry an overlay network to another node. The kernel sends them, unmarked, and each
    /// connection in the network gives them another source port.
    ///
    /// - Parameter interface: the interface that leads to the other node.
    static func carried(
        from own: IPAddress, to peer: IPAddress, port: UInt16, by interface: Packet.Interface = .unknown
    ) -> [Part] {
        sent(
            to: peer, .udp, ports: port...port, isTranslated: false, showsClient: false, mark: 0, by: interface
        ).map { part in
            var part = part
            part.packet.sources = [own...own]
            part.packet.meetsIPVS = false
            part.packet.ownChains = []
            return part
        }
    }

    /// The way of a client's further packets to a port that our rules translate, from where conntrack has put the task in
    /// the place of the node. IPVS does not see them.
    ///
    /// - Parameters:
    ///   - ports: the task's ports.
    ///   - allowed: the networks from which clients may connect; empty for everywhere.
    ///   - showsClient: whether the task is to see the client's address.
    ///   - ways: the interface that leads to the task, and the one that leads to the clients.
    static func continued(
        to task: IPAddress, _ transport: TransportProtocol, ports: ClosedRange<UInt16>, allowed: [IPPrefix] = [],
        showsClient: Bool, _ ways: (task: Packet.Interface, clients: Packet.Interface) = (.unknown, .unknown)
    ) -> [Part] {
        let clients = clients(of: allowed, task.family)
        guard clients?.isEmpty != true else { return [] }
        func part(
            _ hook: Packet.Hook, _ priorities: ClosedRange<Int> = everywhere, layer: RuleTable.Layer = .network
        ) -> Part {
            Part(
                packet: Packet(
                    hook: hook, family: task.family, transport: transport, sources: clients,
                    destinations: [task...task], isForNode: false, state: .further, isDestinationTranslated: true,
                    meetsIPVS: false, showsClient: showsClient, input: ways.clients,
                    output: layer == .bridge ? .unknown : ways.task),
                layer: layer, priorities: priorities, ports: ports)
        }
        return [
            part(.prerouting, (Place.translation + 1)...Int.max), part(.forward), part(.postrouting),
            part(.output, layer: .bridge), part(.postrouting, layer: .bridge), part(.egress, layer: .device),
        ]
    }

    /// The way of a reply from a task up to IPVS.
    ///
    /// - Parameters:
    ///   - port: the task's port.
    ///   - allowed: the networks from which clients may connect; empty for everywhere.
    ///   - ways: the interface that leads to the task, and the one that leads to the clients.
    static func replied(
        by task: IPAddress, _ transport: TransportProtocol, port: UInt16, allowed: [IPPrefix] = [],
        _ ways: (task: Packet.Interface, clients: Packet.Interface) = (.unknown, .unknown)
    ) -> [Part] {
        func part(
            _ hook: Packet.Hook, _ priorities: ClosedRange<Int> = everywhere, layer: RuleTable.Layer = .network,
            isTracked: Bool = true
        ) -> Part {
            // A reply to a masqueraded connection is addressed to the node until conntrack translates it back.
            let isForwarded = hook == .forward || hook == .postrouting || hook == .egress
            return Part(
                packet: Packet(
                    hook: hook, family: task.family, transport: transport, sourcePort: port, sources: [task...task],
                    destinations: isForwarded ? clients(of: allowed, task.family) : nil,
                    isForNode: isForwarded ? false : nil, state: .reply, isTracked: isTracked,
                    // The rules of a bridge see the bridge's ports instead of the interface.
                    input: layer == .bridge ? .unknown : ways.task, output: ways.clients),
                layer: layer, priorities: priorities)
        }
        return [
            part(.ingress, layer: .device, isTracked: false),
            part(.prerouting, layer: .bridge, isTracked: false),
            part(.input, layer: .bridge, isTracked: false),
            part(.prerouting, Int.min...(Place.conntrack - 1), isTracked: false),
            part(.prerouting, Place.conntrack...Int.max),
            part(.forward, Int.min...Place.ipvs),
        ]
    }

    /// The way of a reply out to the client, behind IPVS, which has replaced the task's address and port by the
    /// published ones.
    ///
    /// - Parameter behindTranslation: whether the way only begins where conntrack translates sources, since conntrack
    ///   replaces the address and not IPVS.
    static func returning(
        _ listening: Listening, _ family: AddressFamily, behindTranslation: Bool = false
    ) -> [Part] {
        let addresses = listening.addresses.filter { $0.family == family && !$0.isLoopback }
        let clients = clients(of: listening.allowed, family)
        guard !addresses.isEmpty, clients?.isEmpty != true else { return [] }
        let isOne = listening.ports == listening.translated && listening.ports.count == 1
        func part(_ hook: Packet.Hook, _ priorities: ClosedRange<Int>, _ layer: RuleTable.Layer = .network) -> Part {
            Part(
                packet: Packet(
                    hook: hook, family: family, transport: listening.transport,
                    sourcePort: isOne ? listening.ports.lowerBound : nil, sources: addresses.ranges,
                    destinations: clients, isForNode: false, state: .reply),
                layer: layer, priorities: priorities)
        }
        let parts =
            behindTranslation
            ? [part(.postrouting, (Place.sourceTranslation + 1)...Int.max)]
            : [part(.forward, (Place.ipvs + 1)...Int.max), part(.postrouting, everywhere)]
        return parts + [
            part(.output, everywhere, .bridge), part(.postrouting, everywhere, .bridge),
            part(.egress, everywhere, .device),
        ]
    }

    /// The way of a connection between two other hosts.
    static func passing(_ family: AddressFamily) -> [Part] {
        [
            Part(
                packet: Packet(hook: .forward, family: family, transport: .tcp, isForNode: false, state: .new))
        ]
    }

    static let everywhere = Int.min...Int.max
}
