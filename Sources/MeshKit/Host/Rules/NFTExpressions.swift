import IPVSKit
import RuleKit

/// Translates the statements of an nftables rule from nft's JSON.
struct NFTExpressions {
    /// The table that contains the rule and its sets, such as `inet filter`.
    let table: String
    /// The matches and targets of iptables in the rule, in their order and in the words of iptables.
    var extensions: [[String]] = []

    /// The rule. It becomes several rules with the same text if it does several things, or has a map of verdicts or
    /// translations.
    func rules(_ statements: [JSONValue]) -> [HostRule] {
        let text = RuleText.statements(statements, extensions: extensions)
        var extensions = extensions[...]
        var rules: [HostRule] = []
        var conditions: [Condition] = []
        func rule(_ action: HostRule.Action, _ more: [Condition] = []) -> HostRule {
            HostRule(text: text, conditions: conditions + more, action: action)
        }
        for (name, value) in statements.compactMap(\.only) {
            switch name {
            case "match": conditions.append(match(value))
            // A packet that matches no element continues with the next rule.
            case "vmap": return rules + verdicts(value).map { rule($1, $0) }
            case "limit", "quota", "ct count", "meter": conditions.append(.unknown)
            // The elements of the set have statements of their own, such as a rate.
            case "set" where value["stmt"] != nil: conditions.append(.unknown)
            case "xt":
                let words = extensions.popFirst() ?? []
                if value["type"]?.string == "match" {
                    conditions += words.isEmpty ? [.unknown] : IPTablesMatches.conditions(words[...])
                } else {
                    let known = words.isEmpty ? ["-j", value["name"]?.string ?? ""] : words
                    let action = IPTablesTargets.action(known[...])
                    rules.append(rule(action))
                    if case .end = action { return rules }
                }
            case "dnat", "redirect", "tproxy":
                return rules + translations(name, value).map { rule(.end(.translate($0)), $1) }
            // The address stays if there are only ports.
            case "snat":
                let address = value["addr"]
                return rules + [rule(.end(address == nil ? .accept : .translateSource), address.map(mapped) ?? [])]
            case "fwd": return rules + [rule(.end(.translate("another interface")))]
            case "notrack": rules.append(rule(.affect(.untracked)))
            case "flow": rules.append(rule(.affect(.offloaded(NFTText.expression(value["flowtable"] ?? .null)))))
            case "mangle":
                guard let key = value["key"], let new = value["value"] else { continue }
                if let payload = key["payload"], let families = Self.familiesRewritten(by: payload) {
                    rules.append(rule(.affect(.rewritten), mapped(new) + [.any(families.map(Condition.family))]))
                }
                guard let effect = Self.effect(of: new, on: key) else { continue }
                rules.append(rule(.affect(effect), mapped(new)))
            default:
                guard let action = Self.verdict(name, value) else { continue }
                return rules + [rule(action)]
            }
        }
        return rules
    }

    /// The effect of setting a field; nil if it does not concern the mesh.
    private static func effect(of value: JSONValue, on key: JSONValue) -> HostRule.Effect? {
        guard let (kind, details) = key.only else { return nil }
        switch (kind, details["key"]?.string ?? details["field"]?.string) {
        case ("meta", "mark"): return .remarked(markChange(value))
        case ("ct", "zone"):
            return .zoned(
                ConntrackZone(
                    number: value.number.flatMap { UInt16(exactly: $0) },
                    isForReplies: details["dir"]?.string != "original"))
        case ("ct", "mark"): return .connectionMarked
        case ("payload", "saddr"), ("payload", "daddr"), ("payload", "sport"), ("payload", "dport"): return .rewritten
        default: return nil
        }
    }

    /// The families whose addresses or ports change if bits of a header are set, as in `@nh,96,32 set …`. Nil for a field
    /// by name.
    private static func familiesRewritten(by payload: JSONValue) -> [AddressFamily]? {
        guard let base = payload["base"]?.string, let offset = payload["offset"]?.number,
            let length = payload["len"]?.number, length > 0, offset >= 0, offset < 1 << 16
        else { return nil }
        let bits = offset..<(offset + min(length, 1 << 16))
        switch base {
        case "th": return bits.overlaps(0..<32) ? AddressFamily.allCases : nil
        case "nh":
            let families = AddressFamily.allCases.filter { bits.overlaps($0 == .ipv4 ? 96..<160 : 64..<320) }
            return families.isEmpty ? nil : families
        default: return nil
        }
    }

    /// The change that `meta mark set …` makes.
    private static func markChange(_ value: JSONValue) -> MarkChange {
        let unknown = MarkChange(kept: 0, flipped: 0, unknown: .max)
        if let number = value.number { return MarkChange(kept: 0, flipped: UInt32(truncatingIfNeeded: number)) }
        guard let (name, details) = value.only else { return unknown }
        if name == "meta", details["key"]?.string == "mark" { return MarkChange(kept: .max, flipped: 0) }
        if name == "ct", details["key"]?.string == "mark" {
            return MarkChange(kept: 0, flipped: 0, unknown: .max, fromConnection: .max)
        }
        guard let operands = details.array, let first = operands.first, ["|", "&", "^"].contains(name) else {
            return unknown
        }
        return operands.dropFirst().reduce(markChange(first)) { change, operand in
            guard let number = operand.number else { return unknown }
            let bits = UInt32(truncatingIfNeeded: number)
            return switch name {
            case "|":
                MarkChange(
                    kept: change.kept & ~bits, flipped: change.flipped | bits, unknown: change.unknown & ~bits,
                    fromConnection: change.fromConnection & ~bits)
            case "&":
                MarkChange(
                    kept: change.kept & bits, flipped: change.flipped & bits, unknown: change.unknown & bits,
                    fromConnection: change.fromConnection & bits)
            default:
                MarkChange(
                    kept: change.kept, flipped: change.flipped ^ bits, unknown: change.unknown,
                    fromConnection: change.fromConnection)
            }
        }
    }

    private static func verdict(_ name: String, _ value: JSONValue) -> HostRule.Action? {
        switch name {
        case "accept": .end(.accept)
        case "drop", "reject": .end(.drop)
        case "queue", "synproxy": .end(.undecided)
        case "masquerade": .end(.translateSource)
        case "return": .leave
        case "jump", "goto":
            value["target"]?.string.map { target in
                if OwnRules.isChain(target) {
                    IPTablesTargets.action(["-j", target])
                } else {
                    name == "jump" ? .jump(target) : .goto(target)
                }
            }
        case "continue": .proceed
        default: nil
        }
    }

    /// The verdicts of a map such as `tcp dport vmap { 80 : accept, 81 : jump web }`. The element for everything else
    /// comes last.
    private func verdicts(_ value: JSONValue) -> [([Condition], HostRule.Action)] {
        guard let key = value["key"] else { return [] }
        let implied = NFTFields.implied(key)
        if let question = question(key, value["data"]) { return [(implied, .lookUp(question))] }
        let elements = (elements(value["data"]) ?? []).compactMap { element -> (JSONValue, HostRule.Action)? in
            guard let pair = element.array, pair.count == 2, let (name, value) = pair[1].only,
                let action = Self.verdict(name, value)
            else { return nil }
            return (Self.plain(pair[0]), action)
        }
        let isRest = { (element: JSONValue) in element == .string("*") }
        return (elements.filter { !isRest($0.0) } + elements.filter { isRest($0.0) }).map {
            (implied + [NFTFields.condition(key, $0.0)], $0.1)
        }
    }

    /// The destinations of a translation in words, each with its conditions. If a map gives the destinations, the
    /// conditions are its keys.
    private func translations(_ name: String, _ value: JSONValue) -> [(String, [Condition])] {
        guard let map = value["addr"]?["map"], let key = map["key"], value["port"] == nil else {
            let conditions = [value["addr"], value["port"]].compactMap { $0 }.flatMap(mapped)
            return [(NFTText.destination(name, value), conditions)]
        }
        if let question = question(key, map["data"]) {
            return [("an address of map \(question.set.name)", NFTFields.implied(key) + [.element(question)])]
        }
        return (elements(map["data"]) ?? []).compactMap { element in
            guard let pair = element.array, pair.count == 2 else { return nil }
            return (
                NFTText.destination(name, mappedTo: pair[1]),
                NFTFields.implied(key) + [NFTFields.condition(key, Self.plain(pair[0]))]
            )
        }
    }

    /// The conditions under which a map gives a value; none if the value comes from no map.
    private func mapped(_ value: JSONValue) -> [Condition] {
        guard let map = value["map"], let key = map["key"] else { return [] }
        if let question = question(key, map["data"]) { return NFTFields.implied(key) + [.element(question)] }
        guard let elements = elements(map["data"]) else { return [.unknown] }
        let keys = elements.compactMap { $0.array?.first }.map(Self.plain)
        return NFTFields.implied(key) + [.any(keys.map { NFTFields.condition(key, $0) })]
    }

    /// The lookup in a named set or map; nil if the value names none.
    private func question(_ key: JSONValue, _ value: JSONValue?) -> SetQuestion? {
        guard let name = value?.string, name.hasPrefix("@") else { return nil }
        let parts = table.split(separator: " ", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return nil }
        return SetQuestion(
            set: NamedSet(kind: .nft(family: parts[0], table: parts[1]), name: String(name.dropFirst())),
            fields: NFTFields.fields(key))
    }

    private func match(_ value: JSONValue) -> Condition {
        guard let left = value["left"], let right = value["right"], let op = value["op"]?.string else {
            return .unknown
        }
        let condition: Condition
        switch op {
        // `tcp flags ! fin,syn` means: neither of them.
        case "==", "in", "!=", "!":
            condition =
                if let whole = NFTFields.wholeCondition(left, right, op == "!" ? "in" : op) {
                    whole
                } else if let question = question(left, right) {
                    .element(question)
                } else if let elements = elements(right) {
                    .any(elements.map { NFTFields.condition(left, Self.plain($0)) })
                } else {
                    .unknown
                }
        default: condition = NFTFields.comparison(left, op, right)
        }
        // A negated port still implies its protocol.
        return .all(NFTFields.implied(left) + [op.hasPrefix("!") ? .not(condition) : condition])
    }

    /// The elements on the right side: of a set, of a list, or one value.
    private func elements(_ value: JSONValue?) -> [JSONValue]? {
        guard let value else { return nil }
        if let set = value["set"] { return set.array ?? [set] }
        return value.array ?? [value]
    }

    /// An element without its timeout, counter or comment.
    private static func plain(_ element: JSONValue) -> JSONValue { element["elem"]?["val"] ?? element }
}
