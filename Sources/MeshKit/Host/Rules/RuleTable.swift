import IPVSKit

/// A rule of another program.
struct HostRule: Hashable, Sendable {
    enum Action: Hashable, Sendable {
        /// The packet continues with the next rule.
        case proceed
        case end(End)
        case jump(String)
        case goto(String)
        /// The packet returns to the calling chain.
        case leave
        /// The packet is changed and continues with the next rule.
        case affect(Effect)
        /// A map gives the action.
        case lookUp(SetQuestion)
        /// One of our own chains is called.
        case ours(String)
    }

    /// A change to a packet that continues.
    enum Effect: Hashable, Sendable {
        /// conntrack does not track the packet.
        case untracked
        case remarked(MarkChange)
        /// A flowtable carries the rest of the connection past all rules.
        case offloaded(String)
        /// conntrack keeps the connection apart from those of other zones.
        case zoned(ConntrackZone)
        /// The connection is marked, and later packets of it may get their mark from it.
        case connectionMarked
        /// An address or a port of the packet is rewritten without conntrack.
        case rewritten
    }

    /// The end of a packet's way through a table.
    enum End: Hashable, Sendable {
        case accept
        case drop
        /// The packet is sent to another address or port, which the text names.
        case translate(String)
        /// The packet gets another source address, and goes no further in the chains of nat.
        case translateSource
        /// A program decides.
        case undecided
    }

    var text: RuleText
    var conditions: [Condition]
    var action: Action

    func truth(of packet: Packet) -> Truth {
        conditions.reduce(.yes) { $0 == .no ? .no : $0 && $1.truth(of: packet) }
    }
}

/// A rule as its tool writes it. The text of an nftables rule is only written on demand, since few of thousands of
/// rules are ever named.
enum RuleText: Hashable, Sendable, CustomStringConvertible {
    case line(String)
    /// The statements of an nftables rule, and its matches and targets of iptables in words of iptables.
    case statements([JSONValue], extensions: [[String]])

    var description: String {
        switch self {
        case .line(let text): text
        case .statements(let statements, let extensions): NFTText.rule(statements, extensions)
        }
    }
}

/// A table of the host: its chains, and which of them the kernel calls.
struct RuleTable: Hashable, Sendable {
    /// The layer of the kernel that calls the chains of a table.
    enum Layer: Hashable, Sendable {
        case network
        /// Packets that pass a bridge, whether they are for the node or not.
        case bridge
        /// Packets at a network card.
        case device
        /// ARP packets.
        case arp
    }

    struct BaseChain: Hashable, Sendable {
        var name: String
        /// The name of the hook: `input`, `prerouting`, …
        var hook: String
        var isNAT: Bool
        /// Whether a packet is dropped that leaves at the chain's end.
        var drops: Bool
        /// Chains with lower numbers are called first. conntrack has -200, marks have -150, IPVS has 98.
        var priority = 0
        /// The network devices for which the chain is called; empty for all.
        var devices: [String] = []
    }

    var tool: HostRuleSite.Tool
    /// The name: `filter`, `inet firewalld`.
    var name: String
    var families: Set<AddressFamily>
    var layer = Layer.network
    var chains: [String: [HostRule]] = [:]
    var bases: [BaseChain] = []

    /// One port from each group that the rules treat alike. Whatever holds for this port holds for its group.
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

/// A rule of the host or the policy of a chain, and its position.
package struct HostRuleSite: Hashable, Sendable, CustomStringConvertible {
    /// The tool with which the rule was made, and with which it is changed.
    package enum Tool: Hashable, Sendable {
        case iptables
        case ip6tables
        case nft
    }

    package var tool: Tool
    /// The table: `filter` for iptables, or for nft with the family, `inet filter`.
    package var table: String
    /// The chain that the kernel calls. The rule may be in another chain that is called from there.
    package var baseChain: String
    /// The rule as the tool writes it; `policy DROP` for a policy.
    package var text: String
    /// The set or map that decides whether the rule matches, if that cannot be told.
    package var set: String?

    /// `iptables filter INPUT: policy DROP`, or for a table of nftables with its family, `nft inet filter in: policy
    /// DROP`.
    package var description: String { "\(place): \(shortText)" }

    /// The beginning of the rule, which is enough to find it: a rule may name ten thousand addresses.
    package var shortText: String { text.count > 160 ? text.prefix(157) + "..." : text }

    /// The position of the rule.
    private var place: String {
        if let (program, table) = variant { return "\(program) \(table) \(baseChain)" }
        return "\(tool) \(table) \(baseChain)"
    }

    /// The program and the table of iptables, if the nft variant of it keeps the chain in a table of nftables, which is
    /// recognised by its name; nil for any other chain.
    var variant: (program: String, table: String)? {
        let words = table.split(separator: " ").map(String.init)
        guard tool == .nft, words.count == 2, let program = ["ip": "iptables", "ip6": "ip6tables"][words[0]],
            ["raw", "mangle", "nat", "filter", "security"].contains(words[1]),
            ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"].contains(baseChain)
        else { return nil }
        return (program, words[1])
    }
}

/// A change of a packet's mark: `(mark & kept) ^ flipped`, except for unknown bits.
struct MarkChange: Hashable, Sendable {
    var kept: UInt32
    var flipped: UInt32
    /// The bits whose new values are not known.
    var unknown: UInt32 = 0
    /// The unknown bits that come from the connection's mark.
    var fromConnection: UInt32 = 0

    /// Whether the change gives a mark another value.
    ///
    /// - Parameter connection: the connection's mark; nil if it is not known.
    func changes(_ mark: UInt32, ofConnection connection: UInt32?) -> Truth {
        let unknown = connection == nil ? self.unknown : self.unknown & ~fromConnection
        let restored = (connection ?? 0) & fromConnection
        let difference = ((mark & kept) ^ flipped ^ restored) ^ mark
        if difference & ~unknown != 0 { return .yes }
        return unknown == 0 ? .no : .maybe
    }
}

/// The zone in which a rule makes conntrack keep a connection.
struct ConntrackZone: Hashable, Sendable {
    /// The number; nil if it is not known, for example because a map gives it.
    var number: UInt16?
    /// Whether replies are looked up in the zone, too. A zone for the original direction does not concern replies.
    var isForReplies = true
}

extension HostRuleSite {
    init(_ base: RuleTable.BaseChain, in table: RuleTable, _ text: RuleText, set: String? = nil) {
        self.init(tool: table.tool, table: table.name, baseChain: base.name, text: text.description, set: set)
    }
}
