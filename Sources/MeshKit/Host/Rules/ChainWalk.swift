import IPVSKit

/// Leads a packet through a table's chains, along every way it may take.
///
/// Where it is not known whether a rule matches, both ways are followed. The *plain* way is the one on which no such
/// rule matches; every other has a cause: the first such rule that would have to match.
struct ChainWalk {
    /// A rule that may end the packet's way.
    struct Ending: Hashable {
        var end: HostRule.End
        var rule: RuleText
        /// Nil on the plain way.
        var cause: Cause?
    }

    /// A rule of which it is not known whether it matches.
    struct Cause: Hashable {
        var rule: RuleText
        /// The set or map that decides it, where it has a name.
        var set: String?
    }

    /// Whether a packet comes by a place.
    fileprivate enum Passage {
        case never
        case plainly
        case because(Cause)

        var cause: Cause? { if case .because(let cause) = self { cause } else { nil } }
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

    /// A rule that does something to a packet which goes on.
    struct Influence: Hashable {
        var effect: HostRule.Effect
        var rule: RuleText
        /// As of an ending.
        var cause: Cause?
    }

    struct Result {
        /// All that may end the packet's way, in the order of the rules. From a base chain on, its policy is among it,
        /// and just one of them is on the plain way.
        var endings: [Ending] = []
        /// What may be done to it before.
        var influences: [Influence] = []
        fileprivate var leaves = Passage.never

        /// The same, for one who came here that way.
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

    /// Leads a packet through a base chain, its policy included.
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

    /// - Returns: the way to the next rule.
    private mutating func take(
        _ action: HostRule.Action, by rule: HostRule, _ entering: Passage, _ passing: Passage, _ result: inout Result
    ) -> Passage {
        switch action {
        case .proceed, .lookUp: return entering.or(passing)
        case .affect(let effect):
            result.influences.append(Influence(effect: effect, rule: rule.text, cause: entering.cause))
            return entering.or(passing)
        case .ours:
            // Ours is the mark from here on.
            result.influences.removeAll { if case .remarked = $0.effect { true } else { false } }
            return entering.or(passing)
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

    /// What is in no element of the map goes on with the next rule.
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
