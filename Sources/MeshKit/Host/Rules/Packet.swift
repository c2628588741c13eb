import IPVSKit

/// A packet as far as the host's rules can tell it from others: what is not known of it is nil.
struct Packet: Sendable {
    /// Where the rules meet it.
    enum Hook: String, Hashable, Sendable {
        /// A network card has it, and nobody else.
        case ingress
        /// It comes in, from another host or from this one.
        case prerouting
        /// It is for this host.
        case input
        /// It is for a third.
        case forward
        /// This host sends it, or IPVS does.
        case output
        /// It leaves.
        case postrouting
        /// The network card it leaves by gets it.
        case egress

        /// Whether it is known which interface a packet came by.
        fileprivate var knowsInput: Bool { self != .output && self != .egress }
        fileprivate var knowsOutput: Bool { [.forward, .output, .postrouting, .egress].contains(self) }
    }

    enum State: Hashable, Sendable {
        /// The first packet of a connection.
        case new
        /// An answer on a connection that is known.
        case reply
    }

    /// What is known of an interface.
    enum Interface: Hashable, Sendable {
        case unknown
        case named(String)
        /// Any but this one.
        case other(than: String)
    }

    var hook: Hook
    var family: AddressFamily
    var transport: TransportProtocol
    var sourcePort: UInt16?
    var destinationPort: UInt16?
    /// It comes from an address in one of these.
    var sources: Set<ClosedRange<IPAddress>>?
    /// It goes to an address in one of these.
    var destinations: Set<ClosedRange<IPAddress>>?
    /// Whether its destination is an address of this node.
    var isForNode: Bool?
    var state: State
    /// Whether conntrack has seen it yet.
    var isTracked = true
    var mark: UInt32?
    /// Whether it is no packet of ours, but what asks for, or tells, a neighbour's address of hardware. Its source and
    /// destination are those that it speaks of, and nothing else of IP is in it.
    var isARP = false
    /// What its connection has been marked with; nil where somebody may have.
    var connectionMark: UInt32?
    /// The interfaces that it comes by and leaves by.
    var input = Interface.unknown
    var output = Interface.unknown
    /// The names of those that there are; nil where they are not known.
    var interfaces: Set<String>?
    /// Answers what is in the sets of the host's.
    var sets = SetAnswers.none
}

extension Packet {
    /// - Parameter name: `eth0`, `eth*`.
    func comes(by name: String) -> Truth {
        // IPVS sends from where the node's own packets leave, which came by no interface.
        hook.knowsInput && !(hook == .postrouting && state == .new)
            ? input.truth(of: name, among: interfaces)
            : Truth(name == "*")
    }

    /// Before the routing decision there is no such interface, nor for what stays here.
    func leaves(by name: String) -> Truth {
        hook.knowsOutput ? output.truth(of: name, among: interfaces) : Truth(name == "*")
    }
}

extension Packet.Interface {
    /// Whether it is the one of a rule: a name, or the beginning of one and an asterisk.
    ///
    /// - Parameter known: the names of those that there are. One that is not among them is nobody's way.
    fileprivate func truth(of name: String, among known: Set<String>?) -> Truth {
        if name == "*" { return .yes }
        // What this host sends to itself comes by lo, and nothing else does.
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

/// Whether a packet of which not all is known matches.
enum Truth: Int, Hashable, Sendable {
    case no, maybe, yes

    init(_ known: Bool) { self = known ? .yes : .no }

    static prefix func ! (truth: Truth) -> Truth { Truth(rawValue: 2 - truth.rawValue)! }
    static func && (lhs: Truth, rhs: Truth) -> Truth { Truth(rawValue: min(lhs.rawValue, rhs.rawValue))! }
    static func || (lhs: Truth, rhs: Truth) -> Truth { Truth(rawValue: max(lhs.rawValue, rhs.rawValue))! }
}
