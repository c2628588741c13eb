import IPVSKit

/// What a rule asks of a packet; the rules of iptables and of nftables alike come down to these.
indirect enum Condition: Hashable, Sendable {
    case family(AddressFamily)
    case arp
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
    /// Of the packet's mark, the bits of a mask.
    case mark(mask: UInt32, value: UInt32)
    /// In a set that has a name: its elements are not known, but the kernel can be asked for one.
    case element(SetQuestion)
    /// The same of ipset: for each part of its elements `src` or `dst`.
    case ipset(String, directions: [String])
    /// Known to be so, or not.
    case constant(Bool)
    /// Asks for something that is not in here.
    case unknown
    case not(Condition)
    case any([Condition])
    case all([Condition])

    func truth(of packet: Packet) -> Truth {
        switch self {
        // What only a packet of IP has.
        case .family, .transport, .sourcePort, .destinationPort, .direction, .tcpFlags:
            packet.isARP ? .no : truth(ofIP: packet)
        default: truth(ofIP: packet)
        }
    }

    private func truth(ofIP packet: Packet) -> Truth {
        switch self {
        case .family(let family): Truth(packet.family == family)
        case .arp: Truth(packet.isARP)
        case .transport(let range): Truth(range.contains(packet.transport.rawValue))
        case .sourcePort(let range): Self.truth(packet.sourcePort, in: range)
        case .destinationPort(let range): Self.truth(packet.destinationPort, in: range)
        case .source(let range): range.truth(oneOf: packet.sources, packet.family)
        case .destination(let range): range.truth(oneOf: packet.destinations, packet.family)
        case .inputInterface(let name): packet.comes(by: name)
        case .outputInterface(let name): packet.leaves(by: name)
        // What conntrack has not seen yet is invalid to whoever asks.
        case .connectionState(let state):
            Truth(state == (!packet.isTracked ? "invalid" : packet.state == .new ? "new" : "established"))
        // What we publish is not translated on its way in; of a known connection it is not known.
        case .connectionStatus: packet.state == .new || !packet.isTracked ? .no : .maybe
        case .direction(let isReply): Truth(packet.isTracked && isReply == (packet.state == .reply))
        case .sourceType(let type): Self.truth(ofType: type, isLocal: false)
        case .destinationType(let type): Self.truth(ofType: type, isLocal: packet.isForNode)
        // Who asks for a neighbour asks all.
        case .packetType(let type): packet.isARP ? .maybe : Truth(type == "unicast" || type == "host")
        case .tcpFlags(let mask, let value): packet.state == .new ? Truth(0x02 & mask == value) : .maybe
        case .mark(let mask, let value): packet.mark.map { Truth($0 & mask == value) } ?? .maybe
        case .element(let question): question.truth(of: packet)
        case .ipset(let name, let directions):
            SetQuestion(ipset: name, directions, for: packet).map { $0.truth(of: packet) } ?? .maybe
        case .constant(let isSo): Truth(isSo)
        case .unknown: .maybe
        case .not(let condition): !condition.truth(of: packet)
        case .any(let conditions): conditions.reduce(.no) { $0 == .yes ? .yes : $0 || $1.truth(of: packet) }
        case .all(let conditions): conditions.reduce(.yes) { $0 == .no ? .no : $0 && $1.truth(of: packet) }
        }
    }

    private static func truth(_ port: UInt16?, in range: ClosedRange<UInt16>) -> Truth {
        guard let port else {
            if range == 0...UInt16.max { return .yes }
            // A client's own port is one of tens of thousands. A rule for some few of them means servers.
            return range.count < 1024 ? .no : .maybe
        }
        return Truth(range.contains(port))
    }

    private static func truth(ofType type: String, isLocal: Bool?) -> Truth {
        guard let isLocal else { return type == "local" || type == "unicast" ? .maybe : .no }
        return Truth(type == (isLocal ? "local" : "unicast"))
    }

    /// The name of a set that decides whether a packet matches, where nobody can tell.
    func undecidedSet(for packet: Packet) -> String? {
        switch self {
        case .element(let question): question.truth(of: packet) == .maybe ? question.set.name : nil
        case .ipset(let name, _): truth(of: packet) == .maybe ? name : nil
        case .not(let condition): condition.undecidedSet(for: packet)
        case .any(let conditions), .all(let conditions):
            conditions.lazy.compactMap { $0.undecidedSet(for: packet) }.first
        default: nil
        }
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
