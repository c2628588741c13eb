import IPVSKit

/// Leads a packet through a table's chains, along every way it may take.
///
/// Where it is not known whether a rule matches, both ways are followed. The *plain* way is the one on which no such
/// rule matches; every other has a cause: the first such rule that would have to match.
struct ChainWalk {
    /// A rule that may end the packet's way.
    struct Ending: Hashable {
        var end: HostRule.End
        var rule: String
        /// Nil on the plain way.
        var cause: String?
    }

    /// Whether a packet comes by a place.
    private enum Passage {
        case never
        case plainly
        case because(String)

        var cause: String? { if case .because(let rule) = self { rule } else { nil } }
        var isPossible: Bool { if case .never = self { false } else { true } }

        /// The first part of a way, then the second.
        func then(_ next: Passage) -> Passage {
            switch (self, next) {
            case (.never, _), (_, .never): .never
            case (.because, _): self
            case (.plainly, _): next
            }
        }

        /// Either way.
        func or(_ other: Passage) -> Passage {
            switch (self, other) {
            case (.plainly, _), (_, .never): self
            case (_, .plainly), (.never, _): other
            case (.because, .because): self
            }
        }
    }

    private struct Result {
        var endings: [Ending] = []
        var leaves = Passage.never

        /// The same, for one who came here that way.
        func entered(_ way: Passage) -> [Ending] {
            guard let cause = way.cause else { return endings }
            return endings.map { Ending(end: $0.end, rule: $0.rule, cause: cause) }
        }
    }

    private let table: RuleTable
    private let packet: Packet
    private var known: [String: Result] = [:]

    /// All that may end a packet's way from a base chain on, its policy included, in the order of the rules.
    /// Just one of them is on the plain way.
    static func endings(of packet: Packet, from base: RuleTable.BaseChain, in table: RuleTable) -> [Ending] {
        var walk = ChainWalk(table: table, packet: packet)
        let result = walk.walk(base.name)
        guard result.leaves.isPossible else { return result.endings }
        let policy = Ending(
            end: base.drops ? .drop : .accept, rule: "policy \(base.drops ? "DROP" : "ACCEPT")",
            cause: result.leaves.cause)
        return result.endings + [policy]
    }

    private init(table: RuleTable, packet: Packet) {
        self.table = table
        self.packet = packet
    }

    private mutating func walk(_ chain: String) -> Result {
        if let result = known[chain] { return result }
        // The kernel takes no loops. A text with one shall not hang us.
        known[chain] = Result(leaves: .plainly)
        var result = Result()
        var here = Passage.plainly
        for rule in table.chains[chain] ?? [] where here.isPossible {
            let truth = rule.truth(of: packet)
            if truth == .no { continue }
            let entering = truth == .yes ? here : here.then(.because(rule.text))
            let passing = truth == .yes ? Passage.never : here
            switch rule.action {
            case .proceed: break
            case .end(let end):
                result.endings.append(Ending(end: end, rule: rule.text, cause: entering.cause))
                here = passing
            case .leave:
                result.leaves = result.leaves.or(entering)
                here = passing
            case .jump(let target):
                let called = walk(target)
                result.endings += called.entered(entering)
                here = passing.or(entering.then(called.leaves))
            case .goto(let target):
                let called = walk(target)
                result.endings += called.entered(entering)
                result.leaves = result.leaves.or(entering.then(called.leaves))
                here = passing
            }
        }
        result.leaves = result.leaves.or(here)
        known[chain] = result
        return result
    }
}
