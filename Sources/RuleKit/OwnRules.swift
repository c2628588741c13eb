/// The names by which the mesh recognises its own rules on a host.
package enum OwnRules {
    /// The name of our nftables table without its family, which is `inet`.
    package static let tableName = "meshctl"
    /// Our nftables table with its family, as `nft` names it. A table of the same name in another family belongs to
    /// somebody else.
    package static let table = "inet " + tableName
    /// The prefix of all our iptables chains.
    package static let chainPrefix = "MESH-"
    /// The prefix of all our ipset sets.
    package static let setPrefix = "mesh-"

    /// Whether an iptables chain is ours.
    package static func isChain(_ name: some StringProtocol) -> Bool { name.hasPrefix(chainPrefix) }
}
