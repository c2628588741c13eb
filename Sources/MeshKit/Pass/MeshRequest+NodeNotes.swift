import IPVSKit

/// What the mesh has wrong of this node itself, which nobody would find in its kernel.
extension MeshRequest {
    func notesOnNode(at facts: NodeFacts) -> [String] {
        notesOnName + notesOnAddress(at: facts) + notesOnFilter(at: facts)
    }

    /// A note if the mesh has nodes, and this is none of them: it then takes no part, since it was given another name,
    /// or the host has changed its name.
    private var notesOnName: [String] {
        guard ownNode == nil, !spec.nodes.isEmpty, spec.publishes(by: .ingress) || !taskPlacements.isEmpty else {
            return []
        }
        let names = MeshSpec.listing(spec.nodes.keys.sorted())
        return [
            "this node is \(ledger.node), and the mesh knows \(names): it takes no part in the mesh's networks, and "
                + "answers no port of attached tasks; say which of them it is with --node, or add it with "
                + "`meshctl node add \(ledger.node) --address IP`"
        ]
    }

    /// A note if the other nodes cannot reach this one, since the mesh has no address of it, or one that the host has
    /// not.
    private func notesOnAddress(at facts: NodeFacts) -> [String] {
        guard let ownNode, !peers.isEmpty else { return [] }
        let command =
            "`meshctl node add \(ledger.node) --address IP`, and give the others the new mesh by `meshctl export`"
        guard let address = ownNode.address else {
            return [
                "the other nodes know no address of node \(ledger.node), which this is, and send it nothing: say it "
                    + "with \(command)"
            ]
        }
        guard !facts.isOwn(address) else { return [] }
        return [
            "this host has no address \(address), at which the other nodes look for node \(ledger.node), which this "
                + "is: what they send does not come here; set the right one with \(command)"
        ]
    }

    /// A note for each node that this one cannot reach since its own address is of another family.
    var notesOnPeers: [String] {
        guard !ownNetworks.isEmpty else { return [] }
        return unreachablePeers.sorted { $0.key < $1.key }.map { name, address in
            let own = ownNode?.address.map { "is at \($0)" } ?? "has no address"
            return "no network leads to node \(name) at \(address), since this node \(own): give it an address of the "
                + "same family with `meshctl node add \(ledger.node) --address ADDRESS`"
        }
    }

    /// A note if nobody knows whether iptables has to let the mesh's packets pass.
    private func notesOnFilter(at facts: NodeFacts) -> [String] {
        guard let reason = facts.filtersForwards.reason else { return [] }
        let present = ledger[.node].hasPassage ? "stay" : "are not added"
        return [
            "whether iptables filters the packets that this host forwards is unknown: \(reason); the rules by which it "
                + "would let those of the mesh pass \(present)"
        ]
    }
}
