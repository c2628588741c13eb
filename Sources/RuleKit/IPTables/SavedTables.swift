/// What concerns us in the text of iptables-save: our chains, and the rules that lead into them.
struct SavedTables {
    private struct Key: Hashable {
        var table: String
        var chain: String
    }

    private var rules: [Key: [String]] = [:]
    /// Rules in chains that are not ours, that jump to one that is.
    private var jumps: [Key: [String]] = [:]
    /// Chains of ours, by table.
    private(set) var ownChains: [String: Set<String>] = [:]

    init(_ text: String) {
        var table = ""
        for line in text.split(separator: "\n") {
            if line.hasPrefix("*") {
                table = String(line.dropFirst())
            } else if line.hasPrefix(":\(Skeleton.chainPrefix)") {
                let name = line.dropFirst().prefix { $0 != " " }
                ownChains[table, default: []].insert(String(name))
            } else if line.hasPrefix("-A ") {
                let chain = String(line.dropFirst(3).prefix { $0 != " " })
                if chain.hasPrefix(Skeleton.chainPrefix) {
                    rules[Key(table: table, chain: chain), default: []].append(String(line))
                } else if let target = Self.target(of: line), target.hasPrefix(Skeleton.chainPrefix) {
                    jumps[Key(table: table, chain: target), default: []].append(String(line))
                }
            }
        }
    }

    func rules(of chain: String, in table: String) -> [String] { rules[Key(table: table, chain: chain)] ?? [] }
    func jumps(to chain: String, in table: String) -> [String] { jumps[Key(table: table, chain: chain)] ?? [] }

    var isEmpty: Bool { ownChains.isEmpty && jumps.isEmpty }

    private static func target(of line: Substring) -> String? {
        let words = line.split(separator: " ")
        guard let at = words.firstIndex(where: { $0 == "-j" || $0 == "-g" }), at + 1 < words.count else { return nil }
        return String(words[at + 1])
    }

    /// How what was found differs from a skeleton.
    func faults(against skeleton: Skeleton, tool: String) -> [RuleFault] {
        var faults: [RuleFault] = []
        for chain in skeleton.chains {
            let place = "\(tool) \(chain.table) \(chain.name)"
            guard ownChains[chain.table]?.contains(chain.name) == true else {
                faults.append(RuleFault("\(place): chain missing"))
                continue
            }
            let found = rules(of: chain.name, in: chain.table)
            let wanted = chain.ruleLines()
            faults += wanted.filter { !found.contains($0) }.map { RuleFault("\(place): rule missing: \($0)") }
            faults += found.filter { !wanted.contains($0) }.map { RuleFault("\(place): rule not ours: \($0)") }
            if faults.isEmpty, found != wanted { faults.append(RuleFault("\(place): rules twice or out of order")) }

            let foundJumps = jumps(to: chain.name, in: chain.table)
            let wantedJumps = chain.jumpLines()
            faults += wantedJumps.filter { !foundJumps.contains($0) }
                .map { RuleFault("\(tool) \(chain.table): jump missing: \($0)") }
            if foundJumps.count > wantedJumps.count {
                faults.append(RuleFault("\(tool) \(chain.table): more than one jump to \(chain.name)"))
            }
        }
        return faults
    }

    /// The input of iptables-restore --noflush that puts a skeleton up, whatever of it was there. Declaring a
    /// chain empties it, and a table is committed as one: no packet meets half of it.
    func restoring(_ skeleton: Skeleton) -> String {
        document(skeleton) { chain in
            [":\(chain.name) - [0:0]"]
                + jumps(to: chain.name, in: chain.table).map(Self.deletion)
                + chain.jumpLines().map { "-I" + $0.dropFirst(2) }
                + chain.ruleLines()
        }
    }

    /// The input of iptables-restore --noflush that takes a skeleton down, whatever of it was there.
    func removing(_ skeleton: Skeleton) -> String {
        document(skeleton) { chain in
            jumps(to: chain.name, in: chain.table).map(Self.deletion)
                + (ownChains[chain.table]?.contains(chain.name) == true
                    ? ["-F \(chain.name)", "-X \(chain.name)"] : [])
        }
    }

    private static func deletion(of line: String) -> String { "-D" + line.dropFirst(2) }

    /// A table without lines is left out: naming it would create it.
    private func document(_ skeleton: Skeleton, lines: (Skeleton.Chain) -> [String]) -> String {
        skeleton.chains.map { ($0.table, lines($0)) }
            .filter { !$0.1.isEmpty }
            .map { table, lines in "*\(table)\n" + lines.joined(separator: "\n") + "\nCOMMIT\n" }
            .joined()
    }
}
