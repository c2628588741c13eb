import RuleKit

/// The links that an earlier spec asked for, and that no part asks for any more. The ledger knows their names.
package struct FormerLinks: DatapathPart {
    package init() {}

    package func outline(_ request: MeshRequest, into outline: inout Outline) {
        let wanted = Set(outline.links.flatMap { $0.ends.map(\.id) })
        for (place, holdings) in request.ledger.places.sorted(by: { $0.key < $1.key }) {
            guard outline.places[place] != nil else { continue }
            for name in holdings.links.sorted() where !wanted.contains(LinkEnd.ID(place: place, name: name)) {
                // Only its name matters for taking it down.
                let end = LinkEnd(name, in: place, hardwareAddress: HardwareAddress([]))
                outline.links.append(.single(.veth, end, for: place, alias: ""))
            }
        }
    }

    package func compile(_ request: MeshRequest, on node: NodeFacts, into datapath: inout Datapath) {}
}
