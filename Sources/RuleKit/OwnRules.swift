/// The names by which the mesh recognises its own rules on a host.
package enum OwnRules {
    /// The name of our nftables table without its family, which is `inet`.
    package static let tableName = "meshctl"
    /// Our nftables table with its family, as `nft` names it. A table of the same name in another family belongs to
    /// somebody else.
    package static let table = "inet " + tableName
    /// The prefix of all our iptables chains.
    package static let chainPrefix = "MESH-"
    /// The chain of iptables that accepts packets of the mesh in FORWARD.
    package static let forwardChain = chainPrefix + "FORWARD"
    /// The chain of iptables that lets packets in PREROUTING pass the allow-lists, and has them marked.
    package static let entryChain = chainPrefix + "IN"
    /// The chain of iptables that marks packets to published ports.
    package static let markChain = chainPrefix + "MARK"
    /// The chain of iptables that translates ports in front of IPVS.
    package static let targetChain = chainPrefix + "TARGET"
    /// The chain of iptables that sends packets to the sandbox.
    package static let ingressChain = chainPrefix + "INGRESS"
    /// The chain of iptables that gives packets another source.
    package static let sourceChain = chainPrefix + "SNAT"
    /// The prefix of all our ipset sets.
    package static let setPrefix = "mesh-"

    /// The words by which a chain of iptables leads to one of ours, such as `PREROUTING -j MESH-TARGET`; nil if none do.
    package static func jump(from base: String, to own: String) -> String? {
        Skeleton.allJumpLines.first { $0.hasPrefix("-A \(base) ") && $0.hasSuffix("-j \(own)") }
            .map { String($0.dropFirst(3)) }
    }

    /// Whether an iptables chain is ours.
    package static func isChain(_ name: some StringProtocol) -> Bool { name.hasPrefix(chainPrefix) }
}
