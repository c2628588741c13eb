/// What is said to people of what rules of the host's do.
enum SurveyText {
    /// - Parameters:
    ///   - failure: what becomes of it, as `other hosts cannot reach 1080/tcp`.
    ///   - packets: what is meant, as `packets for 1080/tcp`.
    static func lines(_ failure: String, _ packets: String, _ answer: Firewall.Answer?) -> [String] {
        guard let answer else { return [] }
        var lines: [String] = []
        switch answer.verdict {
        case .dropped(let rule): lines.append("\(failure): dropped by \(rule)")
        case .undecided(let rule): lines.append("\(failure), unless a program lets them: \(rule)")
        case .depends(let rule, otherwiseDropped: true):
            lines.append("\(failure), but for some: others than by \(rule) are dropped\(set(rule))")
        case .accepted, .depends: break
        }
        lines += answer.advice.map(advice)
        for rule in answer.exceptions { lines.append("some \(packets) may be dropped\(set(rule)): \(rule)") }
        for influence in answer.influences {
            let extent = influence.condition == nil ? "" : "some "
            let condition = influence.condition.map { rule in
                rule == influence.rule || rule.text == influence.rule.text
                    ? set(rule) : ", where \(rule.shortText) matches\(set(rule))"
            }
            lines.append(
                "\(extent)\(packets) \(text(influence.kind)): by \(influence.rule)\(condition ?? "")")
            lines += influence.advice.map(advice)
        }
        return lines
    }

    private static func text(_ kind: Firewall.Influence.Kind) -> String {
        switch kind {
        case .untracked: "are not tracked by conntrack, so that they are not balanced or not translated back"
        case .zoned:
            "get a conntrack zone of their own, so that replies that get none, or another, are not translated back"
        case .rewritten: "are written anew on their way, past conntrack"
        case .remarked: "get another mark in the place of ours, so that IPVS leaves them to the node"
        case .offloaded: "go past IPVS, so that they are not translated back"
        }
    }

    private static func set(_ rule: HostRuleSite) -> String { rule.set.map { " (it depends on set \($0))" } ?? "" }

    private static let adviceMark = "  type:  "

    /// A line that says what to type.
    static func advice(_ line: String) -> String { adviceMark + line }

    /// Whether a line says what to type.
    static func isAdvice(_ line: String) -> Bool { line.hasPrefix(adviceMark) }
}
