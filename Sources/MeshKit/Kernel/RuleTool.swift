public import IPVSKit
public import RuleKit
public import SystemPackage

/// The tool that writes rules into the kernel.
public enum RuleTool: String, Sendable, Hashable, Codable, CaseIterable {
    /// A table of nftables.
    case nftables
    /// Chains of iptables, with ipset sets.
    case iptables

    /// The backend of the tool in a namespace.
    ///
    /// - Parameters:
    ///   - cache: a folder in which the tool caches its findings about itself; nil to keep them in memory only.
    ///   - generation: the generation of the namespace's nftables rules, for a backend that reads them again and again.
    public func backend(
        in namespace: NetworkNamespace = .current, cache: FilePath? = nil, generation: RulesetGeneration? = nil
    ) -> any RuleBackend {
        switch self {
        case .nftables: NFTablesBackend(in: namespace, cache: cache, generation: generation)
        case .iptables: IPTablesBackend(in: namespace, generation: generation)
        }
    }

    /// The elements and rules that the tool should hold for a rule set. Reads nothing from the kernel.
    ///
    /// - Parameter families: the address families that the kernel has.
    func render(_ rules: RuleSet, families: Set<AddressFamily>) -> RenderedRules {
        switch self {
        case .nftables: NFTablesBackend.render(rules)
        case .iptables: IPTablesBackend.render(rules, families: AddressFamily.allCases.filter(families.contains))
        }
    }

    /// The tool that suits this kernel best: nftables if the kernel supports our rules, else iptables.
    static func best() async -> RuleTool {
        await NFTablesBackend().isSupported() ? .nftables : .iptables
    }
}
