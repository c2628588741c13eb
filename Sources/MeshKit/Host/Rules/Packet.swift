import IPVSKit

/// A packet as far as the host's rules can tell it from others: what is not known of it is nil.
struct Packet: Hashable, Sendable {
    /// Where the rules meet it.
    enum Hook: String, Hashable, Sendable {
        /// It comes in, from another host or from this one.
        case prerouting
        /// It comes from another host, for this one.
        case input
        /// It comes from another host, for a third.
        case forward
    }

    enum State: Hashable, Sendable {
        /// The first packet of a connection.
        case new
        /// An answer on a connection that is known.
        case reply
    }

    var hook: Hook
    var family: AddressFamily
    var transport: TransportProtocol
    var sourcePort: UInt16?
    var destinationPort: UInt16?
    /// It comes from one of these.
    var sources: Set<IPAddress>?
    /// It goes to one of these.
    var destinations: Set<IPAddress>?
    var state: State
}

/// Whether a packet of which not all is known matches.
enum Truth: Int, Hashable, Sendable {
    case no, maybe, yes

    init(_ known: Bool) { self = known ? .yes : .no }

    static prefix func ! (truth: Truth) -> Truth { Truth(rawValue: 2 - truth.rawValue)! }
    static func && (lhs: Truth, rhs: Truth) -> Truth { Truth(rawValue: min(lhs.rawValue, rhs.rawValue))! }
    static func || (lhs: Truth, rhs: Truth) -> Truth { Truth(rawValue: max(lhs.rawValue, rhs.rawValue))! }
}
