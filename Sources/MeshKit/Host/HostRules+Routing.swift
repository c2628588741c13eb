import IPVSKit
import RuleKit

extension HostRules {
    /// The base chains of other programs with rules that translate or forward packets of a family, in words. Their
    /// owners may need that the node forwards.
    func routing(_ family: AddressFamily) -> Set<String> {
        var found: Set<String> = []
        for table in tables where table.families.contains(family) {
            for base in table.bases where base.isNAT || base.hook == "forward" {
                guard table.chains[base.name]?.contains(where: { !$0.action.isOurs }) == true else { continue }
                found.insert("the rules of \(table.name) \(base.name)")
            }
        }
        return found
    }
}

extension HostRule.Action {
    /// Whether the rule does nothing but lead to rules of ours.
    fileprivate var isOurs: Bool {
        switch self {
        case .ours: true
        case .jump(let chain), .goto(let chain): OwnRules.isChain(chain)
        case .proceed, .end, .leave, .affect, .lookUp: false
        }
    }
}
