package import IPVSKit
package import RuleKit

/// One kind of place, or one kind of work in a place. A part says what has to be observed for it, and what the kernel
/// should hold.
///
/// This protocol is the compiler's seam. A new kind of place is a new part and needs no case or field anywhere else:
/// planner, observer and applier handle places, links, rules, tables and settings without knowing their purpose. A part
/// is pure: no input or output, no clock.
package protocol DatapathPart: Sendable {
    /// Adds to the outline everything that the part may have put into the kernel, even if the part wants none of it at
    /// present: what it wanted earlier has to be found before it can be taken down.
    func outline(_ request: MeshRequest, into outline: inout Outline)

    /// The addresses whose routes from this node the part has to know before it compiles.
    func lookups(_ request: MeshRequest, on node: NodeFacts) -> Set<IPAddress>

    /// Adds what the kernel should hold for this part.
    ///
    /// - Parameter datapath: what the earlier parts want; the part adds to it.
    func compile(_ request: MeshRequest, on node: NodeFacts, into datapath: inout Datapath)
}

extension DatapathPart {
    package func lookups(_ request: MeshRequest, on node: NodeFacts) -> Set<IPAddress> { [] }
}

/// The spec and this node's ledger, which together decide what the node's kernel should hold.
package struct MeshRequest: Equatable, Sendable {
    package var spec: MeshSpec { didSet { findMembership() } }
    package var ledger: Ledger { didSet { findMembership() } }
    /// Marks of the spec that the IPVS services of another program already use. Ports with these marks are not served.
    package var foreignMarks: Set<FirewallMark> = []
    /// The source addresses of the default routes that this node's tasks have of their own, where they are known.
    package var defaultAddresses: [PlaceID: [IPAddress]] = [:] { didSet { findMembership() } }
    /// The tasks of the mesh, and the networks of this node. Every part needs them, and with a thousand tasks they take
    /// a while to compute.
    private(set) var membership: Membership
    /// Whether this node's kernel has conntrack zones; nil if nobody looked.
    package var hasZones: Bool?
    /// The greatest length of a packet to the other nodes, in bytes; nil for that of Ethernet.
    package var underlayMTU: UInt32?
    /// The folder of the ledger. The rules in the kernel name it as their owner; if it is nil, they name none.
    package var folder: String?

    /// The owner that the rules in the kernel are to name.
    package var owner: RuleOwner? { folder.map { RuleOwner(id: ledger.id, folder: $0) } }

    package init(spec: MeshSpec, ledger: Ledger, folder: String? = nil) {
        self.folder = folder
        self.spec = spec
        self.ledger = ledger
        membership = Membership(spec, ledger, defaultAddresses)
    }

    private mutating func findMembership() { membership = Membership(spec, ledger, defaultAddresses) }

    /// The addresses of tasks behind this node. Their replies come back through the node.
    package var localAddresses: Set<IPAddress> { spec.localAddresses(on: ledger.node) }

    /// Whether any port is published.
    package var publishesAnything: Bool { spec.services.values.contains { !$0.ports.isEmpty } }
}

/// The parts of a node's kernel that the observer has to read.
package struct Outline: Equatable, Sendable {
    /// The places that may exist.
    package var places: [PlaceID: Place] = [.node: .node]
    /// The places whose IPVS table may hold services of the mesh. Reading the table loads the IPVS module, so it is not
    /// read in other places.
    package var balancers: Set<PlaceID> = []
    /// The role of the rules in each place. A place without a role has no rules of the mesh.
    package var roles: [PlaceID: RuleRole] = [:]
    /// The settings to read in each place.
    package var sysctls: [PlaceID: Set<Sysctl>] = [:]
    /// The families whose forwarding the mesh may have to switch on. The kernel then overwrites the setting of each
    /// interface.
    package var forwarding: Set<AddressFamily> = []
    /// The places that may have routing rules of the mesh.
    package var routed: Set<PlaceID> = []
    /// The addresses of the nodes to which overlay networks lead.
    package var peers: Set<IPAddress> = []
    /// The path to the sandbox that iptables may be asked to let pass; nil if the mesh never asked.
    package var passage: IngressPath?
    /// The links that may exist.
    package var links: [Link] = []

    package init() {}

    /// Limits the roles to the families that the kernel has, as the compiler does.
    mutating func limitRoles(to families: Set<AddressFamily>) {
        roles = roles.mapValues { $0.limited(to: families) }
    }
}
