import IPVSKit

/// The kernel's answers to questions about single elements of sets. The rest of a large set need not be read.
struct SetAnswers: Hashable, Sendable {
    enum Answer: Hashable, Sendable {
        case absent
        /// The element exists. In a verdict map, it has an action.
        case present(HostRule.Action?)
    }

    /// The types of ipset sets, such as `hash:ip,port`, by name.
    var types: [String: String] = [:]
    /// The answers for single keys.
    var elements: [NamedSet: [[SetQuestion.Part]: Answer]] = [:]
}

/// Asks for the types and single elements of sets.
protocol SetReader: Sendable {
    /// The type of an ipset set, such as `hash:ip,port`; nil if it cannot be found out.
    func type(of name: String) async -> String?
    /// Looks a key up in a set; nil if there is no answer.
    func look(_ key: [SetQuestion.Part], in set: NamedSet) async -> SetAnswers.Answer?
}

extension SetReader {
    /// The answers to all questions that the rules of a table may ask about a packet. Rules that do not match the
    /// packet, whatever the sets contain, ask nothing.
    func answers(for packet: Packet, in table: RuleTable) async -> SetAnswers {
        var packet = packet
        for rule in table.chains.values.joined() where rule.asksSets && rule.truth(of: packet) != .no {
            for name in rule.ipsets where packet.sets.types[name] == nil {
                packet.sets.types[name] = await type(of: name)
            }
            for question in rule.questions(about: packet) {
                for key in question.keys(of: packet) ?? [] where packet.sets.elements[question.set]?[key] == nil {
                    packet.sets.elements[question.set, default: [:]][key] = await look(key, in: question.set)
                }
            }
        }
        return packet.sets
    }
}

extension HostRule {
    /// Whether the rule may ask a question about a set.
    var asksSets: Bool {
        if case .lookUp = action { true } else { conditions.contains(where: \.asksSets) }
    }

    /// The ipset sets that the rule names.
    fileprivate var ipsets: [String] {
        parts.compactMap { if case .ipset(let name, _) = $0 { name } else { nil } }
    }

    fileprivate func questions(about packet: Packet) -> [SetQuestion] {
        let asked: [SetQuestion] = if case .lookUp(let question) = action { [question] } else { [] }
        return asked
            + parts.compactMap { part in
                switch part {
                case .element(let question): question
                case .ipset(let name, let directions): SetQuestion(ipset: name, directions, for: packet)
                default: nil
                }
            }
    }

    /// The conditions, and the conditions in them.
    private var parts: [Condition] { conditions.flatMap(\.parts) }
}

extension Condition {
    fileprivate var asksSets: Bool {
        switch self {
        case .element, .ipset: true
        case .not(let condition): condition.asksSets
        case .any(let conditions), .all(let conditions): conditions.contains(where: \.asksSets)
        default: false
        }
    }

    /// The condition itself, or the conditions of which it consists.
    fileprivate var parts: [Condition] {
        switch self {
        case .not(let condition): condition.parts
        case .any(let conditions), .all(let conditions): conditions.flatMap(\.parts)
        default: [self]
        }
    }
}
