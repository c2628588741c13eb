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

    /// As the tool writes it.
    var text: String
    var conditions: [Condition]
    var action: Action

    func truth(of packet: Packet) -> Truth {
        conditions.reduce(.yes) { $0 == .no ? .no : $0 && $1.truth(of: packet) }
    }
}

/// A table of the host's: its chains, and which of them the kernel calls.
struct RuleTable: Hashable, Sendable {
    struct BaseChain: Hashable, Sendable {
        var name: String
        /// `input`, `prerouting`, …
        var hook: String
        var isNAT: Bool
        /// What becomes of a packet that leaves by the chain's end.
        var drops: Bool
    }

    var tool: HostRuleSite.Tool
    /// `filter`, `inet firewalld`.
    var name: String
    var families: Set<AddressFamily>
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

    /// `iptables filter INPUT: policy DROP`.
    package var description: String { "\(tool) \(table) \(baseChain): \(text)" }
}
