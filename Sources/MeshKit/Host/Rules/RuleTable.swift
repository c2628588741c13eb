import IPVSKit

/// One rule of the host's.
struct HostRule: Hashable, Sendable {
    enum Action: Hashable, Sendable {
        /// The next rule's turn.
        case proceed
        case end(End)
        case jump(String)
        case goto(String)
        /// Back to where the chain was called from.
        case leave
        /// Something is done to the packet, and the next rule has its turn.
        case affect(Effect)
        /// A map says which.
        case lookUp(SetQuestion)
        /// Our own rules have their turn, which put our mark in the place of any other.
        case ours
    }

    /// What is done to a packet that goes on.
    enum Effect: Hashable, Sendable {
        /// conntrack takes no note of it.
        case untracked
        case remarked(MarkChange)
        /// The rest of its connection goes past all rules, by a flowtable.
        case offloaded(String)
        /// conntrack keeps its connection apart from those of other zones.
        case zoned(ConntrackZone)
        /// Its connection is marked, which other packets of it may get their mark from.
        case connectionMarked
        /// Its address or its port is written anew, past conntrack.
        case rewritten
    }

    /// What ends a packet's way through a table.
    enum End: Hashable, Sendable {
        case accept
        case drop
        /// Sent on to another address or port: which, in words.
        case translate(String)
        /// Somebody else decides, in a program.
        case undecided
    }

    var text: RuleText
    var conditions: [Condition]
    var action: Action

    func truth(of packet: Packet) -> Truth {
        conditions.reduce(.yes) { $0 == .no ? .no : $0 && $1.truth(of: packet) }
    }
}

/// A rule as its tool writes it. That of nftables is written when somebody asks: of thousands, a handful is named.
enum RuleText: Hashable, Sendable, CustomStringConvertible {
    case line(String)
    /// With the matches and targets of iptables in it, in the words of that.
    case statements([JSONValue], extensions: [[String]])

    var description: String {
        switch self {
        case .line(let text): text
        case .statements(let statements, let extensions): NFTText.rule(statements, extensions)
        }
    }
}

/// A table of the host's: its chains, and which of them the kernel calls.
struct RuleTable: Hashable, Sendable {
    /// Which of the kernel's layers calls its chains.
    enum Layer: Hashable, Sendable {
        case network
        /// What comes by a bridge, whether the node is meant or not.
        case bridge
        /// What a network card has.
        case device
        /// What asks for the neighbours of IPv4.
        case arp
    }

    struct BaseChain: Hashable, Sendable {
        var name: String
        /// `input`, `prerouting`, …
        var hook: String
        var isNAT: Bool
        /// What becomes of a packet that leaves by the chain's end.
        var drops: Bool
        /// Chains of lower numbers are called first; conntrack has -200, marks have -150, IPVS has 98.
        var priority = 0
        /// The network cards that it is called for; none for all.
        var devices: [String] = []
    }

    var tool: HostRuleSite.Tool
    /// `filter`, `inet firewalld`.
    var name: String
    var families: Set<AddressFamily>
    var layer = Layer.network
    var chains: [String: [HostRule]] = [:]
    var bases: [BaseChain] = []

    /// One port out of each part of a range that the rules tell apart: what is so for that one is so for its part.
    func representatives(of ports: ClosedRange<UInt16>) -> Set<UInt16> {
        guard ports.count > 1 else { return [ports.lowerBound] }
        var found: Set<UInt16> = [ports.lowerBound]
        for condition in chains.values.joined().lazy.flatMap(\.conditions) {
            condition.forEachDestinationPorts { range in
                if ports.contains(range.lowerBound) { found.insert(range.lowerBound) }
                if range.upperBound < ports.upperBound, range.upperBound >= ports.lowerBound {
                    found.insert(range.upperBound + 1)
                }
            }
        }
        return found
    }
}

/// A rule of the host's, or the policy of a chain, and where it stands.
package struct HostRuleSite: Hashable, Sendable, CustomStringConvertible {
    /// What the rule was made with, and is changed with.
    package enum Tool: Hashable, Sendable {
        case iptables
        case ip6tables
        case nft
    }

    package var tool: Tool
    /// `filter` of iptables; `inet filter` of nft, with the family.
    package var table: String
    /// The chain that the kernel calls; the rule may be in one that is called from there.
    package var baseChain: String
    /// The rule as the tool writes it; `policy DROP` for a policy.
    package var text: String
    /// The set or map that decides whether it matches, where nobody can tell.
    package var set: String?

    /// `iptables filter INPUT: policy DROP`; of a table of nftables with its family, `nft inet filter in: policy DROP`.
    package var description: String { "\(place): \(shortText)" }

    /// Enough of the rule to find it by: one may name ten thousand addresses.
    package var shortText: String { text.count > 160 ? text.prefix(157) + "..." : text }

    /// The nft variant of iptables keeps its rules in tables of nftables, whose names tell.
    private var place: String {
        let words = table.split(separator: " ")
        if tool == .nft, words.count == 2, let program = ["ip": "iptables", "ip6": "ip6tables"][words[0]],
            ["raw", "mangle", "nat", "filter", "security"].contains(words[1]),
            ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"].contains(baseChain)
        {
            return "\(program) \(words[1]) \(baseChain)"
        }
        return "\(tool) \(table) \(baseChain)"
    }
}

/// What becomes of a packet's mark: `(mark & kept) ^ flipped`, but for bits that somebody else knows.
struct MarkChange: Hashable, Sendable {
    var kept: UInt32
    var flipped: UInt32
    /// Bits that come from elsewhere.
    var unknown: UInt32 = 0
    /// Those of them that come from the connection's mark.
    var fromConnection: UInt32 = 0

    /// Whether a mark is another one then.
    ///
    /// - Parameter connection: the connection's mark; nil where it is not known.
    func changes(_ mark: UInt32, ofConnection connection: UInt32?) -> Truth {
        let unknown = connection == nil ? self.unknown : self.unknown & ~fromConnection
        let restored = (connection ?? 0) & fromConnection
        let difference = ((mark & kept) ^ flipped ^ restored) ^ mark
        if difference & ~unknown != 0 { return .yes }
        return unknown == 0 ? .no : .maybe
    }
}

/// The zone that a rule has conntrack keep a connection in.
struct ConntrackZone: Hashable, Sendable {
    /// Nil where it is not said, as by a map.
    var number: UInt16?
    /// Whether replies are looked up in it, too. One for the original direction alone is none to them.
    var isForReplies = true
}
