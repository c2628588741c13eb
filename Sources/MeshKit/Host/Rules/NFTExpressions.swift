/// The statements of a rule of nftables, as nft writes them in JSON.
struct NFTExpressions {
    /// The elements of a table's sets and maps by name.
    typealias Sets = [String: [JSONValue]]

    let sets: Sets

    /// The rule; or one for each element, where it looks its verdict up in a map.
    func rules(_ statements: [JSONValue]) -> [HostRule] {
        let text = NFTText.rule(statements)
        var conditions: [Condition] = []
        for (name, value) in statements.compactMap(\.only) {
            switch name {
            case "match": conditions.append(match(value))
            case "vmap":
                // What is in no element goes on with the next rule.
                return verdicts(value).map { key, action in
                    HostRule(text: text, conditions: conditions + [key], action: action)
                }
            case "limit", "quota", "ct count", "meter": conditions.append(.unknown)
            case "xt":
                if value["type"]?.string == "match" { conditions.append(.unknown) }
                if let action = Self.target(value) {
                    return [HostRule(text: text, conditions: conditions, action: action)]
                }
            case "dnat", "redirect", "tproxy":
                conditions += translated(value)
                return [
                    HostRule(
                        text: text, conditions: conditions, action: .end(.translate(NFTText.destination(name, value))))
                ]
            default:
                guard let action = Self.verdict(name, value) else { continue }
                return [HostRule(text: text, conditions: conditions, action: action)]
            }
        }
        return []
    }

    private static func verdict(_ name: String, _ value: JSONValue) -> HostRule.Action? {
        switch name {
        case "accept": .end(.accept)
        case "drop", "reject": .end(.drop)
        case "queue": .end(.undecided)
        case "return": .leave
        case "jump": value["target"]?.string.map(HostRule.Action.jump)
        case "goto": value["target"]?.string.map(HostRule.Action.goto)
        case "continue": .proceed
        default: nil
        }
    }

    /// A target of iptables, of which nft knows no more than the name.
    private static func target(_ value: JSONValue) -> HostRule.Action? {
        guard value["type"]?.string == "target" else { return nil }
        return switch value["name"]?.string {
        case "REJECT", "DROP": .end(.drop)
        case "DNAT", "REDIRECT", "NETMAP", "TPROXY": .end(.translate("another address"))
        case "NFQUEUE": .end(.undecided)
        default: nil
        }
    }

    /// `tcp dport vmap { 80 : accept, 81 : jump web }`: an element for everything else comes last.
    private func verdicts(_ value: JSONValue) -> [(Condition, HostRule.Action)] {
        guard let key = value["key"] else { return [] }
        let elements = (elements(value["data"]) ?? []).compactMap { element -> (JSONValue, HostRule.Action)? in
            guard let pair = element.array, pair.count == 2, let (name, value) = pair[1].only,
                let action = Self.verdict(name, value)
            else { return nil }
            return (Self.plain(pair[0]), action)
        }
        let isRest = { (element: JSONValue) in element == .string("*") }
        return (elements.filter { !isRest($0.0) } + elements.filter { isRest($0.0) }).map {
            (.all(NFTFields.implied(key) + [NFTFields.condition(key, $0.0)]), $0.1)
        }
    }

    /// A translation by a map takes what is in the map.
    private func translated(_ value: JSONValue) -> [Condition] {
        [value["addr"], value["port"]].compactMap { $0?["map"] }.map { map in
            guard let key = map["key"], let elements = elements(map["data"]) else { return .unknown }
            let keys = elements.compactMap { $0.array?.first }.map(Self.plain)
            return .all(NFTFields.implied(key) + [.any(keys.map { NFTFields.condition(key, $0) })])
        }
    }

    private func match(_ value: JSONValue) -> Condition {
        guard let left = value["left"], let right = value["right"], let op = value["op"]?.string else {
            return .unknown
        }
        let condition: Condition
        switch op {
        case "==", "in", "!=":
            condition =
                if let whole = NFTFields.wholeCondition(left, right, op) {
                    whole
                } else if let elements = elements(right) {
                    .any(elements.map { NFTFields.condition(left, Self.plain($0)) })
                } else {
                    .unknown
                }
        default: condition = NFTFields.comparison(left, op, right)
        }
        // Asking for a port that it is not still asks for the protocol that it is.
        return .all(NFTFields.implied(left) + [op == "!=" ? .not(condition) : condition])
    }

    /// What is on the right: a set, the name of one, a list, or one value. Nil where it is not known.
    private func elements(_ value: JSONValue?) -> [JSONValue]? {
        guard let value else { return nil }
        if let name = value.string, name.hasPrefix("@") { return sets[String(name.dropFirst())] }
        if let set = value["set"] { return set.array ?? [set] }
        return value.array ?? [value]
    }

    /// An element without its timeout, counter or comment.
    private static func plain(_ element: JSONValue) -> JSONValue { element["elem"]?["val"] ?? element }
}
