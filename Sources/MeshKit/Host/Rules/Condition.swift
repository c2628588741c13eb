import IPVSKit

/// What a rule asks of a packet; the rules of iptables and of nftables alike come down to these.
indirect enum Condition: Hashable, Sendable {
    case family(AddressFamily)
    case transport(ClosedRange<UInt16>)
    case sourcePort(ClosedRange<UInt16>)
    case destinationPort(ClosedRange<UInt16>)
    case source(ClosedRange<IPAddress>)
    case destination(ClosedRange<IPAddress>)
    /// An interface's name, or the beginning of one and an asterisk.
    case inputInterface(String)
    case outputInterface(String)
    /// One of conntrack's states, in lower case.
    case connectionState(String)
    /// A bit of conntrack's status, in lower case: `dnat`.
    case connectionStatus(String)
    case direction(isReply: Bool)
    /// The kind of an address, in lower case: `local`.
    case sourceType(String)
    case destinationType(String)
    /// `host` or `unicast`, `broadcast`, `multicast`.
    case packetType(String)
    /// For TCP alone; asked together with the transport.
    case tcpFlags(mask: UInt8, value: UInt8)
    /// Known to be so, or not.
    case constant(Bool)
    /// Asks for something that is not in here.
    case unknown
    case not(Condition)
    case any([Condition])
    case all([Condition])

    func truth(of packet: Packet) -> Truth {
        switch self {
        case .family(let family): Truth(packet.family == family)
        case .transport(let range): Truth(range.contains(packet.transport.rawValue))
        case .sourcePort(let range): Self.truth(packet.sourcePort, in: range)
        case .destinationPort(let range): Self.truth(packet.destinationPort, in: range)
        case .source(let range): range.truth(oneOf: packet.sources, packet.family)
        case .destination(let range): range.truth(oneOf: packet.destinations, packet.family)
        case .inputInterface(let name): Self.truth(ofInput: name, packet.hook)
        // Before the routing decision there is no such interface, nor for what stays here.
        case .outputInterface(let name):
            packet.hook == .forward ? Self.truth(ofInput: name, packet.hook) : Truth(name == "*")
        case .connectionState(let state): Truth(state == (packet.state == .new ? "new" : "established"))
        // What we publish is not translated on its way in; of a known connection it is not known.
        case .connectionStatus: packet.state == .new ? .no : .maybe
        case .direction(let isReply): Truth(isReply == (packet.state == .reply))
        case .sourceType(let type): Self.truth(ofType: type, isLocal: false)
        case .destinationType(let type): Self.truth(ofType: type, isLocal: packet.hook != .forward)
        case .packetType(let type): Truth(type == "unicast" || type == "host")
        case .tcpFlags(let mask, let value): packet.state == .new ? Truth(0x02 & mask == value) : .maybe
        case .constant(let isSo): Truth(isSo)
        case .unknown: .maybe
        case .not(let condition): !condition.truth(of: packet)
        case .any(let conditions): conditions.reduce(.no) { $0 == .yes ? .yes : $0 || $1.truth(of: packet) }
        case .all(let conditions): conditions.reduce(.yes) { $0 == .no ? .no : $0 && $1.truth(of: packet) }
        }
    }

    private static func truth(_ port: UInt16?, in range: ClosedRange<UInt16>) -> Truth {
        guard let port else { return range == 0...UInt16.max ? .yes : .maybe }
        return Truth(range.contains(port))
    }

    private static func truth(ofInput name: String, _ hook: Packet.Hook) -> Truth {
        if name == "*" { return .yes }
        // What this host sends to itself comes in by lo, and meets the first hook only.
        return name == "lo" && hook != .prerouting ? .no : .maybe
    }

    private static func truth(ofType type: String, isLocal: Bool) -> Truth {
        Truth(type == (isLocal ? "local" : "unicast"))
    }

    /// Calls the body with each range of destination ports that is asked for.
    func forEachDestinationPorts(_ body: (ClosedRange<UInt16>) -> Void) {
        switch self {
        case .destinationPort(let range): body(range)
        case .not(let condition): condition.forEachDestinationPorts(body)
        case .any(let conditions), .all(let conditions):
            for condition in conditions { condition.forEachDestinationPorts(body) }
        default: break
        }
    }
}
