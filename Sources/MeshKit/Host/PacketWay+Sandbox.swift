import IPVSKit
import RuleKit

/// The ways of packets of a published port that is balanced in the sandbox. The node forwards both directions.
///
///     client  -> ingress, prerouting, forward, postrouting, egress -> sandbox
///     sandbox -> ingress, prerouting, forward, postrouting, egress -> client
extension PacketWay {
    /// The sandbox, as one family of packets reaches it.
    struct Sandbox {
        var address: IPAddress
        /// The interface of the node that leads there and nowhere else.
        var interface: String
    }

    /// The way of a client's packet. From PREROUTING at the priority of nat on, its destination is the sandbox.
    static func forwarded(to sandbox: Sandbox, _ listening: Listening) -> [Part] {
        let arriving = arriving(listening, sandbox.address.family, isElsewhere: true).map { part -> Part in
            var part = part
            if part.layer != .bridge { part.packet.input = .other(than: sandbox.interface) }
            return part
        }
        guard !arriving.isEmpty else { return [] }
        let clients = clients(of: listening.allowed, sandbox.address.family)
        func part(
            _ hook: Packet.Hook, _ priorities: ClosedRange<Int> = everywhere, layer: RuleTable.Layer = .network
        ) -> Part {
            Part(
                packet: Packet(
                    hook: hook, family: sandbox.address.family, transport: listening.transport, sources: clients,
                    destinations: [sandbox.address...sandbox.address], isForNode: false, state: .new,
                    isDestinationTranslated: true, mark: listening.mark, meetsIPVS: false,
                    showsClient: listening.showsClient, input: .other(than: sandbox.interface),
                    output: .named(sandbox.interface),
                    device: layer == .device ? sandbox.interface : nil),
                layer: layer, priorities: priorities, ports: listening.ports)
        }
        return arriving + [
            part(.prerouting, (Place.translation + 1)...Int.max), part(.forward), part(.postrouting),
            part(.egress, layer: .device),
        ]
    }

    /// The way of a reply. conntrack puts the published address in the place of the sandbox's in POSTROUTING.
    static func replied(by sandbox: Sandbox, _ listening: Listening) -> [Part] {
        let family = sandbox.address.family
        let returning = returning(listening, family, behindTranslation: true)
        guard !returning.isEmpty else { return [] }
        func part(
            _ hook: Packet.Hook, _ priorities: ClosedRange<Int> = everywhere, layer: RuleTable.Layer = .network,
            isTracked: Bool = true
        ) -> Part {
            // A reply to a masqueraded connection is addressed to the node until conntrack translates it back.
            let isForwarded = hook == .forward || hook == .postrouting
            return Part(
                packet: Packet(
                    hook: hook, family: family, transport: listening.transport,
                    sourcePort: listening.ports.count == 1 ? listening.ports.lowerBound : nil,
                    sources: [sandbox.address...sandbox.address],
                    destinations: isForwarded ? clients(of: listening.allowed, family) : nil,
                    isForNode: isForwarded ? false : nil, state: .reply, isTracked: isTracked,
                    isDestinationTranslated: true, meetsIPVS: false, input: .named(sandbox.interface),
                    output: .other(than: sandbox.interface), device: layer == .device ? sandbox.interface : nil),
                layer: layer, priorities: priorities)
        }
        let behindTranslation = returning.map { part -> Part in
            var part = part
            part.packet.isDestinationTranslated = true
            part.packet.meetsIPVS = false
            // The rules of a bridge see the bridge's ports instead of the interfaces.
            guard part.layer != .bridge else { return part }
            part.packet.input = .named(sandbox.interface)
            part.packet.output = .other(than: sandbox.interface)
            return part
        }
        return [
            part(.ingress, layer: .device, isTracked: false),
            part(.prerouting, Int.min...(Place.conntrack - 1), isTracked: false),
            part(.prerouting, Place.conntrack...Int.max), part(.forward),
            part(.postrouting, Int.min...Place.sourceTranslation),
        ] + behindTranslation
    }
}
