import IPVSKit
import RuleKit

/// The ways that packets of a published port take through the hooks of a node, in parts.
///
///     client -> ingress, prerouting, input, IPVS, output, postrouting, egress -> task
///     task   -> ingress, prerouting, forward, postrouting, egress             -> client
enum PacketWay {
    /// The places in a hook that others take, by their priority.
    private enum Place {
        static let conntrack = -200
        static let mark = -150
        static let translation = -100
        static let ipvs = 98
    }

    /// A part of a way, on which a packet looks the same to whoever sees it.
    struct Part: Sendable {
        var packet: Packet
        var layer = RuleTable.Layer.network
        /// Chains of a priority in here see it so.
        var priorities = Int.min...Int.max
        /// Where the destination port is one of these, each that the rules tell apart is asked for.
        var ports: ClosedRange<UInt16>?

        /// Whether a chain is met on this part.
        func meets(_ base: RuleTable.BaseChain, of table: RuleTable) -> Bool {
            let isHere =
                table.layer == layer
                || layer == .device && table.layer == .network && !packet.isARP
                    && (base.hook == "ingress" || base.hook == "egress")
            return isHere && base.hook == packet.hook.rawValue && priorities.contains(base.priority)
                // Translations are for the first packet of a connection, and IPVS's have been through theirs.
                && !(base.isNAT && (packet.state != .new || packet.hook == .output))
        }
    }

    /// What somebody publishes, as the packets of clients have it.
    struct Listening {
        var transport: TransportProtocol
        /// As clients say them.
        var ports: ClosedRange<UInt16>
        /// As they are once our rules have translated them.
        var translated: ClosedRange<UInt16>
        var addresses: Set<IPAddress>
        /// The networks that clients may come from; none for everywhere.
        var allowed: [IPPrefix] = []
        /// The mark that our rules put on.
        var mark: UInt32?
    }

    /// The networks of one family that clients come from; nil for everywhere.
    static func clients(of allowed: [IPPrefix], _ family: AddressFamily) -> Set<ClosedRange<IPAddress>>? {
        allowed.isEmpty ? nil : Set(allowed.filter { $0.family == family }.map(\.range))
    }

    /// From another host to IPVS.
    ///
    /// - Parameter withLoopback: also what does not come from another host.
    static func arriving(_ listening: Listening, _ family: AddressFamily, withLoopback: Bool = false) -> [Part] {
        // What other hosts send does not come to loopback addresses.
        let addresses = listening.addresses.filter { $0.family == family && (withLoopback || !$0.isLoopback) }
        let clients = clients(of: listening.allowed, family)
        guard !addresses.isEmpty, clients?.isEmpty != true else { return [] }
        func part(
            _ hook: Packet.Hook, _ priorities: ClosedRange<Int> = everywhere, layer: RuleTable.Layer = .network,
            isTracked: Bool = true, isMarked: Bool = true, isTranslated: Bool = false
        ) -> Part {
            Part(
                packet: Packet(
                    hook: hook, family: family, transport: listening.transport, sources: clients,
                    destinations: addresses.ranges, isForNode: true, state: .new, isTracked: isTracked,
                    mark: isMarked ? listening.mark : nil),
                layer: layer, priorities: priorities,
                ports: isTranslated ? listening.translated : listening.ports)
        }
        return [
            part(.ingress, layer: .device, isTracked: false, isMarked: false),
            part(.prerouting, layer: .bridge, isTracked: false, isMarked: false),
            part(.input, layer: .bridge, isTracked: false, isMarked: false),
            part(.prerouting, Int.min...(Place.conntrack - 1), isTracked: false, isMarked: false),
            part(.prerouting, Place.conntrack...(Place.mark - 1), isMarked: false),
            part(.prerouting, Place.mark...Place.translation),
            part(.prerouting, (Place.translation + 1)...Int.max, isTranslated: true),
            part(.input, Int.min...(Place.ipvs - 1), isTranslated: true),
        ]
    }

    /// What finds neighbours of IPv4: questions of others and their answers come in, and the node's own go out.
    ///
    /// - Parameters:
    ///   - own: addresses of the node; nil for any.
    ///   - others: addresses of who asks, or is asked for; nil for any.
    static func resolving(own: Set<IPAddress>?, others: Set<IPAddress>?) -> [Part] {
        let own = own?.filter { $0.family == .ipv4 }
        func part(_ hook: Packet.Hook, _ layer: RuleTable.Layer) -> Part {
            let comes = hook != .output && hook != .postrouting && hook != .egress
            return Part(
                packet: Packet(
                    hook: hook, family: .ipv4, transport: .tcp, sources: (comes ? others : own)?.ranges,
                    destinations: (comes ? own : others)?.ranges, state: .new, isTracked: false, isARP: true),
                layer: layer)
        }
        return [
            part(.ingress, .device), part(.prerouting, .bridge), part(.input, .bridge), part(.input, .arp),
            part(.output, .arp), part(.output, .bridge), part(.postrouting, .bridge), part(.egress, .device),
        ]
    }

    /// From IPVS to a task elsewhere: from where the node's own packets leave.
    ///
    /// - Parameter interface: the one that leads to the task.
    static func sent(
        to task: IPAddress, _ transport: TransportProtocol, ports: ClosedRange<UInt16>, mark: UInt32?,
        by interface: Packet.Interface = .unknown
    ) -> [Part] {
        func part(_ hook: Packet.Hook, _ layer: RuleTable.Layer = .network) -> Part {
            Part(
                packet: Packet(
                    hook: hook, family: task.family, transport: transport, destinations: [task...task],
                    isForNode: false, state: .new, mark: mark, output: layer == .bridge ? .unknown : interface),
                layer: layer, ports: ports)
        }
        return [
            part(.output), part(.postrouting), part(.output, .bridge), part(.postrouting, .bridge),
            part(.egress, .device),
        ]
    }

    /// From a task back to where IPVS knows it, and out to the client.
    ///
    /// - Parameters:
    ///   - port: of the task.
    ///   - allowed: the networks that clients may come from; none for everywhere.
    ///   - ways: the interface that leads to the task, and the one that leads to clients.
    static func replied(
        by task: IPAddress, _ transport: TransportProtocol, port: UInt16, allowed: [IPPrefix] = [],
        _ ways: (task: Packet.Interface, clients: Packet.Interface) = (.unknown, .unknown)
    ) -> [Part] {
        func part(
            _ hook: Packet.Hook, _ priorities: ClosedRange<Int> = everywhere, layer: RuleTable.Layer = .network,
            isTracked: Bool = true
        ) -> Part {
            // Where the node has put its own address, a reply is for the node, until conntrack says for whom it is.
            let isForwarded = hook == .forward || hook == .postrouting || hook == .egress
            return Part(
                packet: Packet(
                    hook: hook, family: task.family, transport: transport, sourcePort: port, sources: [task...task],
                    destinations: isForwarded ? clients(of: allowed, task.family) : nil,
                    isForNode: isForwarded ? false : nil, state: .reply, isTracked: isTracked,
                    // A bridge's rules see its ports.
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

    /// Behind IPVS, which has put the published address and port in the place of the task's.
    static func returning(_ listening: Listening, _ family: AddressFamily) -> [Part] {
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
        return [
            part(.forward, (Place.ipvs + 1)...Int.max), part(.postrouting, everywhere),
            part(.output, everywhere, .bridge), part(.postrouting, everywhere, .bridge),
            part(.egress, everywhere, .device),
        ]
    }

    /// From one other host to another, of whatever kind.
    static func passing(_ family: AddressFamily) -> [Part] {
        [
            Part(
                packet: Packet(hook: .forward, family: family, transport: .tcp, isForNode: false, state: .new))
        ]
    }

    private static let everywhere = Int.min...Int.max
}
