import IPVSKit

extension HostRules {
    /// The base chains of other programs with rules that translate or forward packets of a family, in words. Their
    /// owners may need that the node forwards.
    func routing(_ family: AddressFamily) -> Set<String> {
        var found: Set<String> = []
        for table in tables where table.families.contains(family) {
            for base in table.bases where base.isNAT || base.hook == "forward" {
                guard table.chains[base.name]?.contains(where: \.action.decides) == true else { continue }
                found.insert("the rules of \(table.name) \(base.name)")
            }
        }
        return found
    }
}

extension HostRule.Action {
    /// Whether the rule can decide what becomes of a packet. A jump to a chain of ours and a rule that only writes a log do
    /// not.
    fileprivate var decides: Bool {
        switch self {
        case .end, .jump, .goto, .lookUp: true
        case .proceed, .ours, .leave, .affect: false
        }
    }
}
