import IPVSKit

/// A packet, described by the properties that the host's rules distinguish. Nil stands for an unknown property.
struct Packet: Sendable {
    /// The hook at which rules see the packet.
    enum Hook: String, Hashable, Sendable {
        /// A network card has received the packet, and nothing else has seen it.
        case ingress
        /// The packet comes in, from another host or from this one.
        case prerouting
        /// The packet is addressed to this host.
        case input
        /// The packet is forwarded to another host.
        case forward
        /// This host sends the packet, or IPVS does.
        case output
        /// The packet leaves.
        case postrouting
        /// The packet is passed to the network card through which it leaves.
        case egress

        /// Whether a packet has an input interface at this hook.
        fileprivate var knowsInput: Bool { self != .output && self != .egress }
        fileprivate var knowsOutput: Bool { [.forward, .output, .postrouting, .egress].contains(self) }
    }

    enum State: Hashable, Sendable {
        /// The first packet of a connection.
        case new
        /// A further packet of the client's in a known connection.
        case further
        /// A reply in a known connection.
        case reply
    }

    /// The knowledge about an interface.
    enum Interface: Hashable, Sendable {
        case unknown
        case named(String)
        /// Any interface except this one.
        case other(than: String)
    }

    var hook: Hook
    var family: AddressFamily
    var transport: TransportProtocol
    var sourcePort: UInt16?
    var destinationPort: UInt16?
    /// The source address is in one of these ranges.
    var sources: Set<ClosedRange<IPAddress>>?
    /// The destination address is in one of these ranges.
    var destinations: Set<ClosedRange<IPAddress>>?
    /// Whether the destination is an address of this node.
    var isForNode: Bool?
    var state: State
    /// Whether conntrack has seen the packet yet.
    var isTracked = true
    /// Whether conntrack translates the destination of the connection and has done so; nil if it is not known.
    var isDestinationTranslated: Bool?
    var mark: UInt32?
    /// Whether IPVS, or the rules that send the packet to the sandbox, have yet to find it by its mark.
    var isFoundByMark = false
    /// Whether IPVS has yet to translate the packet on this node, past which a flowtable would carry it.
    var meetsIPVS = true
    /// Whether the packet starts on this node, as those that IPVS sends do.
    var startsHere = false
    /// Whether our own chain in FORWARD of iptables accepts the packet.
    var isLetThrough = false
    /// Our own chains of iptables that the packet has to meet at this hook, or it does not go the way that it should.
    var ownChains: Set<String> = []
    /// Whether the source is the client's address, and the task is to see it.
    var showsClient = false
    /// Whether this is an ARP packet for a connection of ours. Source and destination are the addresses that it speaks
    /// of; it has no other properties of an IP packet.
    var isARP = false
    /// The mark of the connection; nil if a rule may have set one.
    var connectionMark: UInt32?
    /// The interfaces on which the packet arrives and through which it leaves.
    var input = Interface.unknown
    var output = Interface.unknown
    /// The network device that the packet passes at the hooks of devices; nil if it is not known, since a bridge or a
    /// VLAN has others below it.
    var device: String?
    /// The names of all interfaces; nil if they are not known.
    var interfaces: Set<String>?
    /// What is known about elements of the host's sets.
    var sets = SetAnswers()
}

extension Packet {
    /// - Parameter name: a name in a rule, such as `eth0` or `eth*`.
    func comes(by name: String) -> Truth {
        hook.knowsInput && !startsHere
            ? input.truth(of: name, among: interfaces)
            : Truth(name == "*")
    }

    /// Before the routing decision a packet has no output interface, and neither does a packet that stays here.
    func leaves(by name: String) -> Truth {
        hook.knowsOutput ? output.truth(of: name, among: interfaces) : Truth(name == "*")
    }
}

extension Packet.Interface {
    /// Whether the interface is the one in a rule: a name, or the beginning of a name and an asterisk.
    ///
    /// - Parameter known: the names of all interfaces, if they are known. No packet passes an interface that does not
    ///   exist.
    fileprivate func truth(of name: String, among known: Set<String>?) -> Truth {
        if name == "*" { return .yes }
        // Only packets of this host to itself pass lo.
        if name == "lo" { return .no }
        let left: String?
        switch self {
        case .named(let own): return Truth(name.hasSuffix("*") ? own.hasPrefix(name.dropLast()) : own == name)
        case .unknown: left = nil
        case .other(let other): left = other
        }
        guard let known else { return left == name ? .no : .maybe }
        let possible = known.count - (known.contains("lo") ? 1 : 0) - (left.map(known.contains) == true ? 1 : 0)
        let count =
            name.hasSuffix("*")
            ? known.count { $0 != "lo" && $0 != left && $0.hasPrefix(name.dropLast()) }
            : known.contains(name) && name != left ? 1 : 0
        return count == 0 ? .no : count == possible ? .yes : .maybe
    }
}

/// Whether a packet matches, if not all of its properties are known.
enum Truth: Int, Hashable, Sendable {
    case no, maybe, yes

    init(_ known: Bool) { self = known ? .yes : .no }

    static prefix func ! (truth: Truth) -> Truth { Truth(rawValue: 2 - truth.rawValue)! }
    static func && (lhs: Truth, rhs: Truth) -> Truth { Truth(rawValue: min(lhs.rawValue, rhs.rawValue))! }
    static func || (lhs: Truth, rhs: Truth) -> Truth { Truth(rawValue: max(lhs.rawValue, rhs.rawValue))! }
}
