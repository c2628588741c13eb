import IPVSKit

extension HostRules {
    /// The base chains of other programs with rules that translate or forward packets of a family, in words. Their
    /// owners may need that the node forwards.
    func routing(_ family: AddressFamily) -> Set<String> {
        var found: Set<String> = []
        for table in tables where table.families.contains(family) {
            for base in table.bases where base.isNAT || base.hook == "forward" {
                guard table.chains[base.name]?.contains(where: { $0.action != .ours }) == true else { continue }
                found.insert("the rules of \(table.name) \(base.name)")
            }
        }
        return found
    }
}
