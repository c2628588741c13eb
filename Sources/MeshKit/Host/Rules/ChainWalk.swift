import IPVSKit
import RuleKit

/// Follows a packet through the chains of a table, along every way that it may take.
///
/// If it is not known whether a rule matches, both ways are followed. The *plain* way is the one on which no such rule
/// matches. Every other way has a cause: the first such rule that would have to match.
struct ChainWalk {
    /// A rule that may end the packet's way.
    struct Ending: Hashable {
        var end: HostRule.End
        var rule: RuleText
        /// The cause of the way; nil on the plain way.
        var cause: Cause?
    }

    /// A rule that may or may not match.
    struct Cause: Hashable {
        var rule: RuleText
        /// The named set or map that decides whether the rule matches, if it is one.
        var set: String?
    }

    /// Whether a packet reaches a position in a chain.
    fileprivate enum Passage {
        case never
        case plainly
        case because(Cause)

        var cause: Cause? { if case .because(let cause) = self { cause } else { nil } }
        var isPossible: Bool { if case .never = self { false } else { true } }

        /// The passage through two consecutive parts of a way.
        func then(_ next: Passage) -> Passage {
            switch (self, next) {
            case (.never, _), (_, .never): .never
            case (.because, _): self
            case (.plainly, _): next
            }
        }

        /// The passage by either of two ways.
        func or(_ other: Passage) -> Passage {
            switch (self, other) {
            case (.plainly, _), (_, .never): self
            case (_, .plainly), (.never, _): other
            case (.because, .because): self
            }
        }
    }

    /// A rule that changes a packet which continues.
    struct Influence: Hashable {
        var effect: HostRule.Effect
        var rule: RuleText
        /// The cause of the way; nil on the plain way.
        var cause: Cause?
    }

    struct Result {
        /// Everything that may end the packet's way, in the order of the rules. After a walk from a base chain, its
        /// policy is included, and exactly one ending is on the plain way.
        var endings: [Ending] = []
        /// Everything that may change the packet before that.
        var influences: [Influence] = []
        fileprivate var leaves = Passage.never

        /// Adds the result of a called chain, which is reached in the given way.
        fileprivate mutating func append(_ called: Result, entered way: Passage) {
            endings += called.endings.map { Ending(end: $0.end, rule: $0.rule, cause: way.cause ?? $0.cause) }
            influences += called.influences.map {
                Influence(effect: $0.effect, rule: $0.rule, cause: way.cause ?? $0.cause)
            }
        }
    }

    private let table: RuleTable
    private let packet: Packet
    private var known: [String: Result] = [:]

    /// Follows a packet through a base chain, including its policy.
    static func walk(_ packet: Packet, from base: RuleTable.BaseChain, in table: RuleTable) -> Result {
        var walk = ChainWalk(table: table, packet: packet)
        var result = walk.walk(base.name)
        guard result.leaves.isPossible else { return result }
        result.endings.append(
            Ending(
                end: base.drops ? .drop : .accept, rule: .line("policy \(base.drops ? "DROP" : "ACCEPT")"),
                cause: result.leaves.cause))
        return result
    }

    /// The accepts that a packet meets before it comes to one of our own chains, to which it does not come then. None if
    /// nothing leads it from a base chain to ours.
    static func accepts(
        _ packet: Packet, before own: String, from base: RuleTable.BaseChain, in table: RuleTable
    ) -> [Ending] {
        let rules = table.chains[base.name] ?? []
        guard
            let place = rules.firstIndex(where: { $0.action == .ours(own) && $0.truth(of: packet) != .no }),
            place != rules.startIndex
        else { return [] }
        var front = table
        front.chains[base.name] = rules[..<place].map { rule in
            var rule = rule
            // The policy decides about a packet that returns from a base chain.
            if rule.action == .leave { rule.action = .end(base.drops ? .drop : .accept) }
            return rule
        }
        var walk = ChainWalk(table: front, packet: packet)
        return walk.walk(base.name).endings.filter { $0.end == .accept }
    }

    private init(table: RuleTable, packet: Packet) {
        self.table = table
        self.packet = packet
    }

    private mutating func walk(_ chain: String) -> Result {
        if let result = known[chain] { return result }
        // The kernel refuses loops. A text with a loop must not hang us either.
        known[chain] = Result(leaves: .plainly)
        var result = Result()
        var here = Passage.plainly
        for rule in table.chains[chain] ?? [] where here.isPossible {
            let truth = rule.truth(of: packet)
            if truth == .no { continue }
            let entering = truth == .yes ? here : here.then(.because(cause(of: rule)))
            let passing = truth == .yes ? Passage.never : here
            if case .lookUp(let question) = rule.action {
                here = lookUp(question, by: rule, entering, passing, &result)
            } else {
                here = take(rule.action, by: rule, entering, passing, &result)
            }
        }
        result.leaves = result.leaves.or(here)
        known[chain] = result
        return result
    }

    /// - Returns: the passage to the next rule.
    private mutating func take(
        _ action: HostRule.Action, by rule: HostRule, _ entering: Passage, _ passing: Passage, _ result: inout Result
    ) -> Passage {
        switch action {
        case .proceed, .lookUp: return entering.or(passing)
        case .affect(let effect):
            result.influences.append(Influence(effect: effect, rule: rule.text, cause: entering.cause))
            return entering.or(passing)
        case .ours(let chain):
            if chain == OwnRules.entryChain || chain == OwnRules.markChain {
                // From here on the packet has our mark.
                result.influences.removeAll { if case .remarked = $0.effect { true } else { false } }
            }
            guard chain == OwnRules.forwardChain, packet.isLetThrough else { return entering.or(passing) }
            result.endings.append(Ending(end: .accept, rule: rule.text, cause: entering.cause))
            return passing
        case .end(let end):
            result.endings.append(Ending(end: end, rule: rule.text, cause: entering.cause))
            return passing
        case .leave:
            result.leaves = result.leaves.or(entering)
            return passing
        case .jump(let target):
            let called = walk(target)
            result.append(called, entered: entering)
            return passing.or(entering.then(called.leaves))
        case .goto(let target):
            let called = walk(target)
            result.append(called, entered: entering)
            result.leaves = result.leaves.or(entering.then(called.leaves))
            return passing
        }
    }

    /// Follows a verdict map. A packet that matches no element continues with the next rule.
    private mutating func lookUp(
        _ question: SetQuestion, by rule: HostRule, _ entering: Passage, _ passing: Passage, _ result: inout Result
    ) -> Passage {
        guard let answers = question.answers(for: packet) else {
            let cause = Cause(rule: rule.text, set: question.set.name)
            result.endings.append(Ending(end: .undecided, rule: rule.text, cause: entering.cause ?? cause))
            return entering.or(passing)
        }
        var next = passing
        for answer in answers {
            let way =
                answers.count == 1 ? entering : entering.then(.because(Cause(rule: rule.text, set: question.set.name)))
            switch answer {
            case .absent, .present(nil): next = next.or(answers.count == 1 ? entering : passing.or(entering))
            case .present(let action?): next = take(action, by: rule, way, next, &result)
            }
        }
        return next
    }

    private func cause(of rule: HostRule) -> Cause {
        Cause(rule: rule.text, set: rule.conditions.lazy.compactMap { $0.undecidedSet(for: packet) }.first)
    }
}
