package import IPVSKit
package import RuleKit

/// A kind of place, or of work in one: says what has to be looked at, and what the kernel should hold.
///
/// The compiler's seam. A new kind of place is a part, and no case or field anywhere else: planner, observer and applier
/// know places, links, rules, tables and settings, and not what they are for. Pure: no input or output, no clock.
package protocol DatapathPart: Sendable {
    /// Adds what has to be looked at, whether it is wanted at present or not: what was wanted before has to be found, to
    /// be taken down.
    func outline(_ request: MeshRequest, into outline: inout Outline)

    /// The addresses of which it has to be known by which route the node reaches them.
    func lookups(_ request: MeshRequest, on node: NodeFacts) -> Set<IPAddress>

    /// Adds what the kernel should hold.
    ///
    /// - Parameter datapath: what the parts before it want.
    func compile(_ request: MeshRequest, on node: NodeFacts, into datapath: inout Datapath)
}

extension DatapathPart {
    package func lookups(_ request: MeshRequest, on node: NodeFacts) -> Set<IPAddress> { [] }
}

/// What is asked for on this node.
package struct MeshRequest: Equatable, Sendable {
    package var spec: MeshSpec
    package var ledger: Ledger
    /// Wanted marks that somebody else's services have: ports with these are not served.
    package var foreignMarks: Set<FirewallMark> = []
    /// The folder of the ledger, which the rules in the kernel carry. Nil where they are to carry none.
    package var folder: String?

    /// Whose the rules in the kernel are to say they are.
    package var owner: RuleOwner? { folder.map { RuleOwner(id: ledger.id, folder: $0) } }

    package init(spec: MeshSpec, ledger: Ledger, folder: String? = nil) {
        self.folder = folder
        self.spec = spec
        self.ledger = ledger
    }

    /// The addresses behind this node: replies from there come back by it.
    package var localAddresses: Set<IPAddress> { spec.localAddresses(on: ledger.node) }

    /// Whether any port is published.
    package var publishesAnything: Bool { spec.services.values.contains { !$0.ports.isEmpty } }
}

/// What of a node's kernel has to be looked at.
package struct Outline: Equatable, Sendable {
    /// The places, each of which may be there or not.
    package var places: [PlaceID: Place] = [.node: .node]
    /// The places with an IPVS table that is ours or partly ours. Elsewhere, looking would load its module for nothing.
    package var balancers: Set<PlaceID> = []
    /// What the rules of a place are for; a place that is not in here has none.
    package var roles: [PlaceID: RuleRole] = [:]
    /// Settings that are looked at.
    package var sysctls: [PlaceID: Set<Sysctl>] = [:]
    /// The families whose forwarding may have to be switched on, which the kernel then does for each interface.
    package var forwarding: Set<AddressFamily> = []
    /// The links that may be there.
    package var links: [Link] = []

    package init() {}
}
