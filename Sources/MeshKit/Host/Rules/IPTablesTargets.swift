import RuleKit

/// Translates targets of iptables into actions.
enum IPTablesTargets {
    /// - Parameters:
    ///   - words: the words from `-j` or `-g` on; empty for a rule that only counts.
    ///   - isChain: whether the table has a chain of that name.
    static func action(
        _ words: ArraySlice<String>, isChain: (String) -> Bool = { _ in false }
    ) -> HostRule.Action {
        guard let verb = words.first, let target = words.dropFirst().first else { return .proceed }
        if OwnRules.isChain(target) { return .ours(target) }
        if isChain(target) { return verb == "-g" ? .goto(target) : .jump(target) }
        func option(_ name: String) -> String? {
            words.firstIndex(of: name).flatMap { $0 + 1 < words.endIndex ? words[$0 + 1] : nil }
        }
        func port(_ name: String) -> String { option(name).map { "port \($0) of this node" } ?? "this node" }
        switch target {
        case "ACCEPT": return .end(.accept)
        case "MASQUERADE": return .end(.translateSource)
        // The address stays if there are only ports.
        case "SNAT": return .end(option("--to-source")?.hasPrefix(":") == true ? .accept : .translateSource)
        case "DROP", "REJECT": return .end(.drop)
        case "RETURN": return .leave
        case "NFQUEUE", "QUEUE", "SYNPROXY": return .end(.undecided)
        case "DNAT": return .end(.translate(option("--to-destination") ?? "another address"))
        case "NETMAP": return .end(.translate(option("--to") ?? "another address"))
        case "REDIRECT": return .end(.translate(port("--to-ports")))
        case "TPROXY": return .end(.translate(port("--on-port")))
        case "NOTRACK": return .affect(.untracked)
        case "CT":
            if words.contains("--notrack") { return .affect(.untracked) }
            return zone(words).map { .affect(.zoned($0)) } ?? .proceed
        case "FLOWOFFLOAD": return .affect(.offloaded("FLOWOFFLOAD"))
        case "MARK": return mark(words).map { .affect(.remarked($0)) } ?? .proceed
        case "CONNMARK":
            // Other modes change only the connection's mark, not the packet's.
            guard words.contains("--restore-mark") else { return .affect(.connectionMarked) }
            let bits = (option("--nfmask") ?? option("--mask")).flatMap(number) ?? .max
            return .affect(
                .remarked(MarkChange(kept: ~bits, flipped: 0, unknown: bits, fromConnection: bits)))
        // Our own rules set marks by a set in the same way.
        case "SET":
            return words.contains("--map-mark")
                ? .affect(.remarked(MarkChange(kept: 0, flipped: 0, unknown: .max))) : .proceed
        // They replace the network of an address without conntrack.
        case "SNPT", "DNPT": return .affect(.rewritten)
        default: return .proceed
        }
    }

    /// Parses `--set-xmark 0x1/0xff`, the form in which iptables-save writes everything that `-j MARK` can do, and the
    /// other forms.
    private static func mark(_ words: ArraySlice<String>) -> MarkChange? {
        for (option, text) in zip(words, words.dropFirst()) {
            let parts = text.split(separator: "/").map(String.init)
            guard let value = parts.first.flatMap(number) else { continue }
            let mask = parts.count == 2 ? number(parts[1]) ?? .max : .max
            switch option {
            case "--set-xmark": return MarkChange(kept: ~mask, flipped: value)
            case "--set-mark": return MarkChange(kept: ~(value | mask), flipped: value)
            case "--and-mark": return MarkChange(kept: value, flipped: 0)
            case "--or-mark": return MarkChange(kept: ~value, flipped: value)
            case "--xor-mark": return MarkChange(kept: .max, flipped: value)
            default: continue
            }
        }
        return nil
    }

    /// Parses `--zone 5` or `--zone-orig mark`.
    private static func zone(_ words: ArraySlice<String>) -> ConntrackZone? {
        for (option, number) in zip(words, words.dropFirst()) where option.hasPrefix("--zone") {
            return ConntrackZone(number: UInt16(number), isForReplies: option != "--zone-orig")
        }
        return nil
    }

    static func number(_ text: String) -> UInt32? {
        text.hasPrefix("0x") ? UInt32(text.dropFirst(2), radix: 16) : UInt32(text)
    }
}
