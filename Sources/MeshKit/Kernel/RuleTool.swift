public import IPVSKit
public import RuleKit

/// What carries rules into the kernel.
public enum RuleTool: String, Sendable, Hashable, Codable, CaseIterable {
    /// A table of nftables.
    case nftables
    /// Chains of iptables, with ipset sets.
    case iptables

    /// The tool in a namespace.
    public func backend(in namespace: NetworkNamespace = .current) -> any RuleBackend {
        switch self {
        case .nftables: NFTablesBackend(in: namespace)
        case .iptables: IPTablesBackend(in: namespace)
        }
    }

    /// The one this kernel is best served by: nftables where it takes our rules.
    static func best() async -> RuleTool {
        await NFTablesBackend().isSupported() ? .nftables : .iptables
    }
}
