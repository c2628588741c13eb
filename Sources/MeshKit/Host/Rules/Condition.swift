import IPVSKit

/// A condition of a rule. The rules of iptables and of nftables are reduced to the same conditions.
indirect enum Condition: Hashable, Sendable {
    case family(AddressFamily)
    case arp
    case transport(ClosedRange<UInt16>)
    case sourcePort(ClosedRange<UInt16>)
    case destinationPort(ClosedRange<UInt16>)
    case source(ClosedRange<IPAddress>)
    case destination(ClosedRange<IPAddress>)
    /// The name of an interface, or the beginning of a name and an asterisk.
    case inputInterface(String)
    case outputInterface(String)
    /// A state of conntrack, in lower case.
    case connectionState(String)
    /// A bit of conntrack's status, in lower case, such as `dnat`.
    case connectionStatus(String)
    case direction(isReply: Bool)
    /// The type of an address, in lower case, such as `local`.
    case sourceType(String)
    case destinationType(String)
    /// `host` or `unicast`, `broadcast`, `multicast`.
    case packetType(String)
    /// Flags of TCP, always together with a condition for the transport.
    case tcpFlags(mask: UInt8, value: UInt8)
    /// The bits of the packet's mark that a mask selects.
    case mark(mask: UInt32, value: UInt32)
    /// An element of a named set. The elements are not known, but the kernel can be asked for a single one.
    case element(SetQuestion)
    /// An element of an ipset set, with `src` or `dst` for each part of its elements.
    case ipset(String, directions: [String])
    /// A condition whose truth is known.
    case constant(Bool)
    /// A condition that none of the other cases can express.
    case unknown
    case not(Condition)
    case any([Condition])
    case all([Condition])

    func truth(of packet: Packet) -> Truth {
        switch self {
        // Only IP packets have these properties.
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
        // A packet that conntrack has not seen yet counts as invalid.
        case .connectionState(let state):
            Truth(state == (!packet.isTracked ? "invalid" : packet.state == .new ? "new" : "established"))
        case .connectionStatus(let status): Self.truth(ofStatus: status, packet)
        case .direction(let isReply): Truth(packet.isTracked && isReply == (packet.state == .reply))
        case .sourceType(let type): Self.truth(ofType: type, isLocal: false)
        case .destinationType(let type): Self.truth(ofType: type, isLocal: packet.isForNode)
        // ARP requests are broadcasts, and ARP replies are not.
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
            // A client's source port is one of tens of thousands, so a rule for a small range means the ports of
            // servers.
            return range.count < 1024 ? .no : .maybe
        }
        return Truth(range.contains(port))
    }

    /// A new connection has no status, unless our own rules have translated its destination. Of a known connection
    /// nothing else is known.
    private static func truth(ofStatus status: String, _ packet: Packet) -> Truth {
        guard packet.isTracked else { return .no }
        if status == "dnat", let isTranslated = packet.isDestinationTranslated { return Truth(isTranslated) }
        return packet.state == .new ? .no : .maybe
    }

    private static func truth(ofType type: String, isLocal: Bool?) -> Truth {
        guard let isLocal else { return type == "local" || type == "unicast" ? .maybe : .no }
        return Truth(type == (isLocal ? "local" : "unicast"))
    }

    /// The name of the set that decides whether a packet matches, if that cannot be told.
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

    /// Calls the body with each range of destination ports in the condition.
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
