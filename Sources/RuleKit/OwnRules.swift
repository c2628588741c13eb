/// What is the mesh's own among the rules of a host, which is told by its name.
package enum OwnRules {
    /// Our table of nftables, without its family, which is `inet`.
    package static let tableName = "meshctl"
    /// Our table of nftables, as `nft` names it. Of another family it would be another's.
    package static let table = "inet " + tableName
    /// What the names of all our chains of iptables begin with.
    package static let chainPrefix = "MESH-"
    /// What the names of all our sets of ipset begin with.
    package static let setPrefix = "mesh-"

    /// Whether a chain of iptables is ours.
    package static func isChain(_ name: some StringProtocol) -> Bool { name.hasPrefix(chainPrefix) }
}
