import IPVSKit

extension SavedTables {
    /// The differences between the chains that were found and a skeleton.
    func faults(against skeleton: Skeleton, tool: String, family: AddressFamily) -> [RuleFault] {
        var faults: [String] = []
        for chain in skeleton.chains {
            let place = "\(tool) \(chain.table) \(chain.name)"
            if tables[chain.table]?.chains[chain.name] == nil {
                faults.append("\(place): chain missing")
                continue
            }
            let found = rules(of: chain.name, in: chain.table)
            if chain.isVariable {
                faults += strays(in: chain, family).map { "\(place): rule not ours, or twice: \($0)" }
            } else {
                let wanted = chain.ruleLines()
                let missing = wanted.filter { !found.contains($0) }
                let foreign = found.filter { !wanted.contains($0) }
                faults += missing.map { "\(place): rule missing: \($0)" }
                faults += foreign.map { "\(place): rule not ours: \($0)" }
                if missing.isEmpty, foreign.isEmpty, found != wanted {
                    faults.append("\(place): rules twice or out of order")
                }
            }

            let foundJumps = jumps(to: chain.name, in: chain.table)
            let wantedJumps = chain.jumpLines()
            faults += wantedJumps.filter { !foundJumps.contains($0) }
                .map { "\(tool) \(chain.table): jump missing: \($0)" }
            if foundJumps.count > wantedJumps.count {
                faults.append("\(tool) \(chain.table): more than one jump to \(chain.name)")
            }
        }
        for (table, chains) in unwanted(by: skeleton).sorted(by: { $0.key < $1.key }) {
            faults += chains.map { "\(tool) \(table): chain not ours: \($0)" }
        }
        return faults.map { RuleFault($0) }
    }

    /// Chains with our prefix that are not in the skeleton, by table.
    func unwanted(by skeleton: Skeleton) -> [String: [String]] {
        var result: [String: [String]] = [:]
        for (name, table) in tables {
            let wanted = Set(skeleton.chains.filter { $0.table == name }.map(\.name)).union([Self.ownerChain])
            let chains = Set(table.chains.keys).union(table.jumps.map(\.chain)).subtracting(wanted)
                .filter { !table.isRemnant($0) }
            if !chains.isEmpty { result[name] = chains.sorted() }
        }
        return result
    }

    /// The rules of a variable chain that stand for no element, or repeat one.
    func strays(in chain: Skeleton.Chain, _ family: AddressFamily) -> [String] {
        var seen: Set<SetElement> = []
        return rules(of: chain.name, in: chain.table).filter { line in
            TargetRule.element(line, family).map { !seen.insert($0).inserted } ?? true
        }
    }

    private func jumps(to chain: String, in table: String) -> [String] {
        (tables[table]?.jumps ?? []).filter { $0.chain == chain }.map(\.line)
    }
}
