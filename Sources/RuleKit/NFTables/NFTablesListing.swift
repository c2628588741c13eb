/// Our table as `nft` lists it, block by block. Counters are left out, because they are elements.
struct NFTablesListing: Equatable, Codable {
    /// The lines of a chain, a set or a map, by its heading: `chain prerouting`.
    private(set) var blocks: [String: [String]] = [:]

    init(_ text: String) {
        var heading: String?
        for line in text.split(separator: "\n") {
            let isIndentedTwice = line.hasPrefix("\t\t")
            if isIndentedTwice, let heading {
                blocks[heading]?.append(String(line.dropFirst(2)))
            } else if line.hasPrefix("\tflags ") {
                heading = nil
                blocks[String(line.dropFirst())] = []
            } else if line.hasPrefix("\t"), line.hasSuffix(" {") {
                let name = String(line.dropFirst().dropLast(2))
                heading = name.hasPrefix("counter ") ? nil : name
                if let heading { blocks[heading] = [] }
            }
        }
    }

    /// Whether the table is switched off: its rules have no effect.
    var isDormant: Bool { blocks.keys.contains { $0.hasPrefix("flags ") && $0.contains("dormant") } }

    /// The differences between this table and the wanted one.
    func faults(against wanted: NFTablesListing) -> [RuleFault] {
        var faults: [RuleFault] = []
        for (heading, lines) in wanted.blocks.sorted(by: { $0.key < $1.key }) {
            guard let found = blocks[heading] else {
                faults.append(fault("\(heading) missing"))
                continue
            }
            let before = faults.count
            faults += lines.filter { !found.contains($0) }.map { fault("\(heading): missing: \($0)") }
            faults += found.filter { !lines.contains($0) }.map { fault("\(heading): not ours: \($0)") }
            if faults.count == before, found != lines {
                faults.append(fault("\(heading): rules twice or out of order"))
            }
        }
        return faults + blocks.keys.filter { wanted.blocks[$0] == nil }.sorted().map { fault("\($0): not ours") }
    }

    /// The commands that remove everything from the table except unchanged sets, in one transaction with the commands
    /// that install it again. Rules go first, since a chain that is the target of a jump cannot be deleted.
    func removing(allBut wanted: NFTablesListing) -> [String] {
        let chains = blocks.keys.filter { $0.hasPrefix("chain ") }.sorted()
        let rest = blocks.filter { heading, lines in
            // Flags of the table cannot be deleted.
            !heading.hasPrefix("chain ") && !heading.hasPrefix("flags ") && wanted.blocks[heading] != lines
        }.keys.sorted()
        return chains.map { "flush \(located($0))" } + chains.map { "delete \(located($0))" }
            + rest.map { "delete \(located($0))" }
    }

    /// `chain prerouting` as `chain inet meshctl prerouting`; `ct helper ftp` as `ct helper inet meshctl ftp`.
    private func located(_ heading: String) -> String {
        let parts = heading.split(separator: " ")
        return (parts.dropLast() + [OwnRules.table[...]] + parts.suffix(1)).joined(separator: " ")
    }

    private func fault(_ text: String) -> RuleFault { RuleFault("nft \(OwnRules.table) \(text)") }
}

extension NFTablesListing {
    /// The lines of a set's declaration, as a listing has them.
    static func of(_ set: NFTablesSet) -> [String] {
        set.declaration.dropFirst().dropLast().map { String($0.dropFirst(2)) }
    }
}

extension NFTablesSet {
    /// The heading of the set in a listing.
    var heading: String { "\(value == nil ? "set" : "map") \(rawValue)" }
}
