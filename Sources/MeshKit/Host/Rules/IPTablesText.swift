import IPVSKit

/// What iptables-save and ip6tables-save print, as tables. Chains of the mesh's own are left out.
enum IPTablesText {
    static func tables(_ text: String, family: AddressFamily) -> [RuleTable] {
        let lines = text.split(separator: "\n")
        var tables: [RuleTable] = []
        for line in lines {
            if line.hasPrefix("*") {
                tables.append(
                    RuleTable(
                        tool: family == .ipv4 ? .iptables : .ip6tables, name: String(line.dropFirst()),
                        families: [family]))
            } else if line.hasPrefix(":"), !tables.isEmpty {
                declare(line, in: &tables[tables.count - 1])
            } else if line.hasPrefix("-A "), !tables.isEmpty {
                append(line, to: &tables[tables.count - 1])
            }
        }
        return tables
    }

    /// The tables that a text of the nft variant shows, by nft's names: nft shows them, too. The legacy variant's
    /// are none of nft's.
    static func tablesOfNFT(_ text: String, family: AddressFamily) -> Set<String> {
        guard text.prefix(while: { $0 != "\n" }).contains("(nf_tables)") else { return [] }
        let names = text.split(separator: "\n").filter { $0.hasPrefix("*") }.map { $0.dropFirst() }
        return Set(names.map { (family == .ipv4 ? "ip " : "ip6 ") + $0 })
    }

    /// `:INPUT DROP [0:0]`; the policy of a user's chain is a dash.
    private static func declare(_ line: Substring, in table: inout RuleTable) {
        let words = line.dropFirst().split(separator: " ")
        guard words.count >= 2, !OwnRules.isChain(words[0]) else { return }
        let name = String(words[0])
        table.chains[name] = []
        guard words[1] != "-" else { return }
        table.bases.append(
            RuleTable.BaseChain(
                name: name, hook: name.lowercased(), isNAT: table.name == "nat", drops: words[1] == "DROP"))
    }

    private static func append(_ line: Substring, to table: inout RuleTable) {
        let words = words(line)
        guard words.count >= 2, !OwnRules.isChain(words[1]) else { return }
        let chain = words[1]
        let target = words.firstIndex { $0 == "-j" || $0 == "-g" } ?? words.endIndex
        guard let action = action(words[target...], chains: table.chains) else { return }
        let rule = HostRule(
            text: String(line), conditions: IPTablesMatches.conditions(words[2..<target]), action: action)
        table.chains[chain, default: []].append(rule)
    }

    /// Nil for a rule that leads to a chain of ours.
    private static func action(_ words: ArraySlice<String>, chains: [String: [HostRule]]) -> HostRule.Action? {
        guard let verb = words.first, let target = words.dropFirst().first else { return .proceed }
        if OwnRules.isChain(target) { return nil }
        if chains[target] != nil { return verb == "-g" ? .goto(target) : .jump(target) }
        func option(_ name: String) -> String? {
            words.firstIndex(of: name).flatMap { $0 + 1 < words.endIndex ? words[$0 + 1] : nil }
        }
        return switch target {
        case "ACCEPT": .end(.accept)
        case "DROP", "REJECT": .end(.drop)
        case "RETURN": .leave
        case "NFQUEUE", "QUEUE": .end(.undecided)
        case "DNAT": .end(.translate(option("--to-destination") ?? "another address"))
        case "NETMAP": .end(.translate(option("--to") ?? "another address"))
        case "REDIRECT": .end(.translate(option("--to-ports").map { "port \($0) of this node" } ?? "this node"))
        case "TPROXY": .end(.translate(option("--on-port").map { "port \($0) of this node" } ?? "this node"))
        default: .proceed
        }
    }

    /// Words as a shell splits them; iptables quotes what has a space with `"`, and escapes with `\`.
    static func words(_ line: Substring) -> [String] {
        var words: [String] = []
        var word: String?
        var isQuoted = false
        var isEscaped = false
        for character in line {
            if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
                word = word ?? ""
            } else if character == " ", !isQuoted {
                if let done = word { words.append(done) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if let done = word { words.append(done) }
        return words
    }
}

/// What is the mesh's own among the host's rules. Where a packet of ours goes is asked of all others.
enum OwnRules {
    static let nftTable = "meshctl"

    static func isChain(_ name: some StringProtocol) -> Bool { name.hasPrefix("MESH-") }
}
