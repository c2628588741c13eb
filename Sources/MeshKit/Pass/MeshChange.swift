public import IPVSKit
public import RuleKit

/// The result of a change.
public struct MeshChange: Sendable {
    /// The spec after the change.
    public var spec: MeshSpec
    /// The ledger after the change.
    public var ledger: Ledger
    /// The steps that were taken.
    public var plan: Plan
    /// Whether the spec, the ledger or the kernel differs from before.
    public var didChange = false
    /// How long it took to read what the kernel held before the change.
    public var readingTime = Duration.zero
    /// What the kernel should hold after the change.
    var datapath: Datapath
    /// The number of steps that only help and that the kernel refused. The plan's notes say why.
    public var refusedSteps = 0
    /// Rules and sets of the mesh that had to stay in the kernel because somebody else uses them.
    public var remnants: [RuleRemnant] = []
    /// The optional places that this host refused during the change, with the reasons.
    public var refusals: [PlaceID: String] = [:]
    /// Who has found what the change has removed from the spec, and may find it again.
    public var forgotten: Set<Origin> = []
    /// The ports that an agent of this node had to hold before the change, and has to hold no longer.
    var freedPorts: Set<HeldPort> = []
    /// When the next pass is due although nothing else changes; nil if none is.
    var wake: Wake?

    init(spec: MeshSpec, ledger: Ledger, plan: Plan, datapath: Datapath) {
        self.spec = spec
        self.ledger = ledger
        self.plan = plan
        self.datapath = datapath
    }
}

/// The spec, the ledger and the observed kernel, for editing the spec with knowledge of the rest.
public struct MeshView: Sendable {
    /// The spec before the edit.
    public var spec: MeshSpec
    /// This node's ledger.
    public var ledger: Ledger
    /// What was observed in the kernel.
    public var observed: ObservedDatapath

    /// The marks that a new port must not get: marks of services in the kernel, whoever made them, and marks in the
    /// ledger, whose ports may be on their way out.
    public var takenMarks: Set<FirewallMark> { observed.marks.union(ledger.places.values.flatMap(\.marks.keys)) }

    /// The addresses of the tasks behind this node.
    public var localAddresses: Set<IPAddress> { spec.localAddresses(on: ledger.node) }
}

/// A change failed, and so did taking it back. The next pass tries again.
public struct UndoError: Error, CustomStringConvertible {
    /// Why the change failed.
    public var reason: any Error
    /// Why taking it back failed.
    public var second: any Error

    /// Both reasons, and the remedy.
    public var description: String {
        "\(reason); and taking the change back failed: \(second); run `meshctl reconcile` once the cause is gone"
    }
}
