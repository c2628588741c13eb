public import IPVSKit
public import RuleKit
public import SystemPackage

/// What carries rules into the kernel.
public enum RuleTool: String, Sendable, Hashable, Codable, CaseIterable {
    /// A table of nftables.
    case nftables
    /// Chains of iptables, with ipset sets.
    case iptables

    /// The tool in a namespace.
    ///
    /// - Parameter cache: a folder for what the tool finds out of itself; nil to keep it in memory alone.
    public func backend(in namespace: NetworkNamespace = .current, cache: FilePath? = nil) -> any RuleBackend {
        switch self {
        case .nftables: NFTablesBackend(in: namespace, cache: cache)
        case .iptables: IPTablesBackend(in: namespace)
        }
    }

    /// What a tool's sets should hold for rules, and which rules look it up. Looks at nothing.
    ///
    /// - Parameter families: the address families that the kernel has.
    func render(_ rules: RuleSet, families: Set<AddressFamily>) -> RenderedRules {
        switch self {
        case .nftables: NFTablesBackend.render(rules)
        case .iptables: IPTablesBackend.render(rules, families: AddressFamily.allCases.filter(families.contains))
        }
    }

    /// The one this kernel is best served by: nftables where it takes our rules.
    static func best() async -> RuleTool {
        await NFTablesBackend().isSupported() ? .nftables : .iptables
    }
}
