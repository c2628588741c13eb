/// The texts for people about the effects of the host's rules.
enum SurveyText {
    /// - Parameters:
    ///   - failure: the consequence, such as `other hosts cannot reach 1080/tcp`.
    ///   - packets: the packets concerned, such as `packets for 1080/tcp`.
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

    /// - Parameters:
    ///   - packets: the packets from clients, such as `packets for 1080/tcp`.
    ///   - replies: the packets from a task, such as `replies of 10.0.0.11`.
    ///   - isMasqueraded: whether the task sees the node's address. Otherwise IPVS alone translates the replies back,
    ///     unless a zone of their own makes conntrack take them for new connections.
    static func lines(
        _ packets: String, _ replies: String, _ mismatch: ZoneMismatch?, isMasqueraded: Bool
    ) -> [String] {
        guard let mismatch else { return [] }
        var rules: [HostRuleSite] = []
        for zoning in mismatch.zonings where !rules.contains(zoning.rule) { rules.append(zoning.rule) }
        let by = "by " + rules.map(\.description).joined(separator: ", and by ")
        var lines: [String]
        if let arriving = mismatch.arriving.certain, let replied = mismatch.replies.certain {
            let failure =
                isMasqueraded || replied != 0
                ? "are not translated back" : "do not pass where only those of known connections may"
            lines = [
                "\(replies) \(failure): conntrack looks for them in zone \(replied), and has \(packets) in zone "
                    + "\(arriving): \(by)"
            ]
        } else {
            lines = [
                "some \(replies) may not be translated back: conntrack may look for them in another zone than for "
                    + "\(packets): \(by)"
            ]
        }
        for line in mismatch.zonings.flatMap(\.advice).map(advice) where !lines.contains(line) { lines.append(line) }
        return lines
    }

    /// The number of tasks or nodes whose warnings are printed in full. Whatever keeps packets from one of a hundred
    /// mostly keeps them from all.
    static let mostNamed = 3

    /// The lines about several tasks or nodes, in full for the first ones.
    ///
    /// - Parameter noun: the word for one of them, such as `task`.
    static func abridged(_ concerned: [[String]], _ noun: String) -> [String] {
        let others = concerned.dropFirst(mostNamed)
        let named = Array(concerned.prefix(mostNamed).joined())
        guard !others.isEmpty else { return named }
        // Each of the others may need commands of its own.
        return named + ["the like holds for \(others.count) more \(noun)\(others.count == 1 ? "" : "s")"]
            + others.joined().filter(isAdvice)
    }

    /// - Parameter port: the port whose tasks are to see the addresses of clients, such as `1080/tcp`.
    static func hidings(_ port: String, _ answer: Firewall.Answer?) -> [String] {
        (answer?.hidings ?? [:]).map { rule, isOfAll in
            "tasks of \(port) see another address than \(isOfAll ? "the client's" : "that of some clients"): by \(rule)"
        }.sorted()
    }

    private static func text(_ kind: Firewall.Influence.Kind) -> String {
        switch kind {
        case .untracked: "are not tracked by conntrack, so that they are not balanced or not translated back"
        case .rewritten: "are written anew on their way, past conntrack"
        case .remarked: "get another mark in the place of ours, so that they are left to the node"
        case .acceptedFirst: "do not come to the rules of meshctl"
        case .offloaded: "go past IPVS, so that they are not translated back"
        }
    }

    private static func set(_ rule: HostRuleSite) -> String { rule.set.map { " (it depends on set \($0))" } ?? "" }

    private static let adviceMark = "  type:  "

    /// A line that shows a command to type.
    static func advice(_ line: String) -> String { adviceMark + line }

    /// Whether a line shows a command to type.
    static func isAdvice(_ line: String) -> Bool { line.hasPrefix(adviceMark) }
}

extension [String] {
    /// The lines without those that stand there before.
    var eachOnce: [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}
